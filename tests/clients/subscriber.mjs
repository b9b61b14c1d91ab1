// What the two clients share: each update is a line of JSON on stdout, and the next connection goes on after it.
import { argv } from "node:process";

export const [, , address, token] = argv;

// Both clients send what stands here each time that they connect again.
export const request = {
  query: `subscription($after: String) {
    orderUpdates(after: $after) { id type order { number state total { amount } } }
  }`,
  variables: { after: null },
};

// However long the server is away while it restarts.
export const retryAttempts = 1000;
export const wait = () => new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 100));

const say = (line) => console.log(JSON.stringify(line));

export const sink = {
  next({ data, errors }) {
    if (errors) {
      say({ errors });
      return;
    }
    request.variables.after = data.orderUpdates.id;
    say(data.orderUpdates);
  },
  error(error) {
    say({ error: error.code ?? String(error), details: error });
    process.exitCode = 1;
  },
  complete() {
    say({ complete: true });
  },
};

export const connected = (again) => say({ connected: again ? "again" : "first" });
