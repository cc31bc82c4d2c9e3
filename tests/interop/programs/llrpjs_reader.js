// A small reader on llrpjs's codec and server. It says `port N`, then the name of each message it gets. llrpjs takes
// one message of a TCP segment at a time, and leaves the rest of it until more comes.
"use strict";
const { LLRPServer, LLRPCore } = require("llrpjs");
const net = require("net");

const TAGS = ["303425000000000000000001", "303425000000000000000002"];
const LLRPStatus = { StatusCode: "M_Success", ErrorDescription: "" };
let timer = null;

const stamp = () => ({ UTCTimestamp: { Microseconds: BigInt(Date.now()) * 1000n } });
const capabilities = {
    GeneralDeviceCapabilities: {
        MaxNumberOfAntennaSupported: 4, CanSetAntennaProperties: false, HasUTCClockCapability: true,
        DeviceManufacturerName: 4711, ModelName: 1, ReaderFirmwareVersion: "llrpjs",
        ReceiveSensitivityTableEntry: [{ Index: 1, ReceiveSensitivityValue: 0 }],
        GPIOCapabilities: { NumGPIs: 0, NumGPOs: 0 },
        PerAntennaAirProtocol: [{ AntennaID: 1, ProtocolID: ["EPCGlobalClass1Gen2"] }],
    },
};

const probe = net.createServer().listen(0, "127.0.0.1", () => {
    const port = probe.address().port;
    probe.close(() => serve(port));
});

function serve(port) {
    const server = new LLRPServer({ host: "127.0.0.1", port });
    const send = (name, id, data) => server.send(new LLRPCore[name]({ id, data })).catch(gone);
    const gone = error => console.log("gone", error.message);
    const report = () => send("RO_ACCESS_REPORT", 0, {
        TagReportData: TAGS.map((EPC, n) => ({
            EPC_96: { EPC }, AntennaID: { AntennaID: n + 1 }, PeakRSSI: { PeakRSSI: -40 - n },
            FirstSeenTimestampUTC: { Microseconds: BigInt(Date.now()) * 1000n }, TagSeenCount: { TagCount: 3 },
        })),
    });
    const stop = () => clearInterval(timer);
    const left = () => { stop(); console.log("left"); };

    server.on("connection", () => send("READER_EVENT_NOTIFICATION", 0, {
        ReaderEventNotificationData: { ...stamp(), ConnectionAttemptEvent: { Status: "Success" } },
    }));
    server.on("disconnect", left);
    server.on("error", gone);
    server.on("message", async message => {
        const name = message.getName();
        console.log(name);
        if (name === "KEEPALIVE_ACK" || name === "ENABLE_EVENTS_AND_REPORTS") return;
        if (name === "CLOSE_CONNECTION") stop();
        const id = message.getMessageId();
        if (LLRPCore[name + "_RESPONSE"] === undefined) {
            await send("ERROR_MESSAGE", id, {
                LLRPStatus: { StatusCode: "M_UnsupportedMessage", ErrorDescription: name },
            });
            return;
        }
        await send(name + "_RESPONSE", id, { LLRPStatus, ...(name === "GET_READER_CAPABILITIES" ? capabilities : {}) });
        if (name === "START_ROSPEC") timer = setInterval(report, 20);
        if (name === "STOP_ROSPEC" || name === "DELETE_ROSPEC") stop();
        if (name === "CLOSE_CONNECTION") server.disconnect();
    });
    server.listen();
    server._server.on("listening", () => console.log("port", port));
}
