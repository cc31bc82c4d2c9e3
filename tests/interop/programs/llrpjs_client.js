// llrpjs's client: `llrpjs_client.js PORT` prints what it sees of one inventory of 300 ms, then leaves.
"use strict";
const { LLRPClient, LLRPCore } = require("llrpjs");

const reader = new LLRPClient({ host: "127.0.0.1", port: Number(process.argv[2]) });
const ROSpec = {
    ROSpecID: 21, Priority: 0, CurrentState: "Disabled",
    ROBoundarySpec: {
        ROSpecStartTrigger: { ROSpecStartTriggerType: "Null" },
        ROSpecStopTrigger: { ROSpecStopTriggerType: "Duration", DurationTriggerValue: 300 },
    },
    AISpec: {
        AntennaIDs: [1, 2],
        AISpecStopTrigger: { AISpecStopTriggerType: "Null", DurationTrigger: 0 },
        InventoryParameterSpec: { InventoryParameterSpecID: 1, ProtocolID: "EPCGlobalClass1Gen2" },
    },
    ROReportSpec: {
        ROReportTrigger: "Upon_N_Tags_Or_End_Of_ROSpec", N: 0,
        TagReportContentSelector: {
            EnableROSpecID: true, EnableSpecIndex: false, EnableInventoryParameterSpecID: false,
            EnableAntennaID: true, EnableChannelIndex: true, EnablePeakRSSI: true, EnableFirstSeenTimestamp: true,
            EnableLastSeenTimestamp: true, EnableTagSeenCount: true, EnableAccessSpecID: false,
        },
    },
};

async function ask(message) {
    const answer = await reader.transact(message);
    console.log(answer.getName(), answer.getLLRPStatus().getStatusCode());
}

async function main() {
    await reader.connect();
    const greeting = await reader.recv(5000);
    console.log(greeting.getReaderEventNotificationData().getConnectionAttemptEvent().getStatus());
    const reported = new Promise(resolve => reader.on("RO_ACCESS_REPORT", resolve));
    await ask(new LLRPCore.GET_READER_CAPABILITIES({ data: { RequestedData: "All" } }));
    await ask(new LLRPCore.GET_READER_CONFIG({
        data: { AntennaID: 0, RequestedData: "All", GPIPortNum: 0, GPOPortNum: 0 },
    }));
    await ask(new LLRPCore.DELETE_ROSPEC({ data: { ROSpecID: 0 } }));
    await ask(new LLRPCore.SET_READER_CONFIG({ data: { ResetToFactoryDefault: true } }));
    await ask(new LLRPCore.ADD_ROSPEC({ data: { ROSpec } }));
    await ask(new LLRPCore.ENABLE_ROSPEC({ data: { ROSpecID: 21 } }));
    await ask(new LLRPCore.START_ROSPEC({ data: { ROSpecID: 21 } }));
    const tags = [].concat((await reported).getTagReportData());
    for (const tag of tags) {
        console.log("tag", tag.getEPCParameter().getEPC(), tag.getPeakRSSI().getPeakRSSI());
    }
    await ask(new LLRPCore.DELETE_ROSPEC({ data: { ROSpecID: 21 } }));
    await ask(new LLRPCore.CLOSE_CONNECTION());
    if (reader.socketWritable) await reader.disconnect();
}

reader.on("error", error => console.log("error", error.message));
main().then(() => process.exit(0), error => { console.error(error); process.exit(1); });
