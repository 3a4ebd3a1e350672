/*
 * sockjs-client under a ledger of calls: `node client.js PORT TRANSPORT`, with SESSION, the module
 * that has the ledger, in the environment.  Obeys the works of ../drivers.py, line by line.
 */
"use strict";

const readline = require("readline");
const [port, transport] = process.argv.slice(2);
const Session = require(process.env.SESSION).over(transport);
const session = new Session({ host: "127.0.0.1", port: Number(port), authentication: {} },
  { echo: (data, callback) => callback(null, data) });

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const now = () => Number(process.hrtime.bigint()) / 1e9;
const CHANNEL = `bench-${process.pid}`; /* of its own, as that of ../drivers.py */
let listening = () => {};
session.onmessage((channel, message) => listening(message));

function result(seconds, done, latencies, wrong) {
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(share * (latencies.length - 1))] || 0;
  return { done, seconds, p50: at(0.5), p99: at(0.99), wrong };
}

const works = {
  rpc({ in_flight, size, seconds }, finish) {
    const data = "x".repeat(size), latencies = [], begun = now();
    let done = 0, wrong = 0, running = in_flight;
    const call = () => {
      const sent = now();
      if (sent - begun > seconds) {
        if (!--running) finish(result(now() - begun, done, latencies, wrong));
        return;
      }
      session.rpc("echo", data, (error, answer) => {
        latencies.push(now() - sent);
        done++;
        if (error || answer !== data) wrong++;
        call();
      });
    };
    for (let calls = 0; calls < in_flight; calls++) call();
  },

  receive({ count, size, seconds }, finish) {
    const data = "x".repeat(size), begun = now();
    let done = 0, wrong = 0;
    const burst = () => session.rpc("burst", { channel: CHANNEL, data, count }, () => {});
    listening = (message) => {
      if (message !== data) wrong++;
      if (++done % count) return;
      if (now() - begun < seconds) burst();
      else finish(result(now() - begun, done, [], wrong));
    };
    burst();
  },

  called({ count, size, seconds }, finish) {
    const data = "x".repeat(size), begun = now();
    let done = 0, wrong = 0;
    const ask = () => session.rpc("ask", { data, count }, (error, right) => {
      done += count;
      wrong += count - right;
      if (now() - begun < seconds) ask();
      else finish(result(now() - begun, done, [], wrong));
    });
    ask();
  },

  publish({ count, size, seconds }, finish) {
    const data = "x".repeat(size), begun = now();
    let done = 0;
    const publish = () => {
      for (let sent = 0; sent < count; sent++) session.publish(`${CHANNEL}-silent`, data);
      session.rpc("echo", data, () => {
        done += count;
        if (now() - begun < seconds) publish();
        else finish(result(now() - begun, done, [], 0));
      });
    };
    publish();
  },

  open({ channels }, finish) {
    for (let number = 0; number < channels; number++)
      session.subscribe(`${CHANNEL}-${number}`, () => {});
    session.rpc("echo", "", () => finish({}));
  },

  close(_, finish) {
    for (const channel of session.channels) if (channel !== CHANNEL) session.unsubscribe(channel);
    session.rpc("echo", "", () => finish({}));
  },
};

session.ready(() => session.subscribe(CHANNEL, () => {}));
setTimeout(() => say({ ready: true }), 500); /* its subscription may not be confirmed to it */
readline.createInterface({ input: process.stdin })
  .on("line", (line) => {
    const work = JSON.parse(line);
    works[work.work](work, say);
  })
  .on("close", () => process.exit(0));
