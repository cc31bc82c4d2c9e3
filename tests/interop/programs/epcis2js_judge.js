// What epcis2.js says of an event, by GS1's JSON schema and by its own hash: `epcis2js_judge.js FILE`.
const fs = require("node:fs");
const { eventToHashedId, objectToEvent, validateAgainstSchema } = require("epcis2.js");

const { "@context": context, ...event } = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const verdict = validateAgainstSchema({ "@context": context, ...event }, "ObjectEvent");
console.log(verdict.success ? "valid" : verdict.errors.join("; "));
console.log(eventToHashedId(event, { "@context": context }));
