// Microsoft's test client for debug adapters, for tests/vscode_client.py: node debug_client.js PORT
//
// Takes one call of a method of DebugClient per line of standard input, {id, method, arguments},
// and writes one line of JSON for each thing that happens:
//   {begun: id}                            it was called: from here on it misses no event
//   {ended: id, result} or {ended: id, error}
//   {answered: command, message}           a request was answered, also one that a method makes
//   {event: name, message}
"use strict";

const readline = require("node:readline");
const { DebugClient } = require("@vscode/debugadapter-testsupport");

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

class Client extends DebugClient {
  async send(command, args) {
    const response = await super.send(command, args);
    say({ answered: command, message: response });
    return response;
  }

  // Its helpers launch a program; a kernel runs already.
  launchRequest(args) {
    return this.attachRequest(args);
  }

  emit(name, event) {
    if (event && event.type === "event") {
      say({ event: name, message: event });
    }
    return super.emit(name, event);
  }
}

async function main() {
  // The first three are for adapters that it starts itself.
  const client = new Client("", "", "debugpy");
  await client.start(Number(process.argv[2])); // always on 127.0.0.1
  say({ connected: true });
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const { id, method, arguments: args } = JSON.parse(line);
    client[method](...args).then(
      (result) => say({ ended: id, result: result === undefined ? null : result }),
      (error) => say({ ended: id, error: String(error.message) }),
    );
    say({ begun: id });
  });
  lines.on("close", () => process.exit(0));
}

main();
