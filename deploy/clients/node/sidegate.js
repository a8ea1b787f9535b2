// A client of Sidegate that denies whenever it is not told to allow.
//
// Make one `Sidegate` for a process and share it: it connects again by itself. As a program it answers lines of standard
// input, `user/ana order/1001 view cancel`, with `view=ALLOW cancel=DENY:NO_GRANT`.
'use strict';

const path = require('node:path');
const readline = require('node:readline');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

// Sidegate's `proto/`: copy it beside your own sources and name it here.
const PROTO = process.env.SIDEGATE_PROTO ?? path.join(__dirname, '../../../proto');

// A decision takes microseconds: what is not there after this is not coming, and somebody waits for the page.
const DEADLINE_MS = 500;

const SERVICE_CONFIG = {
  loadBalancingConfig: [],
  methodConfig: [
    {
      name: [{ service: 'sidegate.v1.AuthorizationService' }],
      // Decisions change nothing, so asking again is safe. UNAVAILABLE: restarting, or no snapshot yet.
      retryPolicy: {
        maxAttempts: 3,
        initialBackoff: '0.02s',
        maxBackoff: '0.2s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
  // While most calls fail, none is tried again.
  retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
};

const OPTIONS = {
  'grpc.service_config': JSON.stringify(SERVICE_CONFIG),
  // Without these a client of a daemon that was away for long asks only every two minutes whether it is back.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  // Finds a peer that is gone without a word while calls wait for it.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 5_000,
  // Never through a proxy of the environment.
  'grpc.enable_http_proxy': 0,
};

const definition = protoLoader.loadSync('sidegate/v1/authorization.proto', {
  includeDirs: [PROTO],
  keepCase: true,
  enums: String,
  longs: String,
  defaults: true,
  oneofs: true,
});
const { AuthorizationService } = grpc.loadPackageDefinition(definition).sidegate.v1;

/** Asks a daemon at `127.0.0.1:8650` or `unix:/sockets/sidegate/data.sock`. */
class Sidegate {
  constructor(address, deadlineMs = DEADLINE_MS) {
    this.deadlineMs = deadlineMs;
    this.service = new AuthorizationService(address, grpc.credentials.createInsecure(), OPTIONS);
  }

  /** Whether it is allowed. Whatever else happens, it is not: this promise is never rejected. */
  async allowed(subject, action, resource) {
    return (await this.check(subject, action, resource)).allowed;
  }

  /** The same, and why: a reason of the policy, or an error in brackets. For logs, not for users. */
  async check(subject, action, resource) {
    try {
      return answer(await this.#call('Authorize', question(subject, action, resource)));
    } catch (error) {
      return failed(error);
    }
  }

  /** An answer for every action, by one call on one snapshot: which buttons does this page show? */
  async checkAll(subject, resource, actions) {
    const every = (one) => new Map(actions.map((action) => [action, one]));
    try {
      const requests = actions.map((action) => question(subject, action, resource));
      const { results } = await this.#call('BatchAuthorize', { requests });
      if (results.length !== actions.length) return every({ allowed: false, why: '(answers are missing)' });
      return new Map(actions.map((action, index) => [action, result(results[index])]));
    } catch (error) {
      return every(failed(error));
    }
  }

  close() {
    this.service.close();
  }

  #call(method, message) {
    const deadline = new Date(Date.now() + this.deadlineMs);
    return new Promise((resolve, reject) => {
      this.service[method](message, { deadline }, (error, response) => (error ? reject(error) : resolve(response)));
    });
  }
}

/** Subject and resource have a type and an id. */
function question(subject, action, resource) {
  return { subject, action: { name: action }, resource };
}

function result({ outcome, verdict, error }) {
  if (outcome === 'verdict') return answer(verdict);
  return { allowed: false, why: `(${error?.message || 'no outcome'})` };
}

function answer({ decision, reason }) {
  // Only this one value allows: not its absence, and not a value that this client does not know (which is a number).
  return { allowed: decision === 'DECISION_ALLOW', why: String(reason).replace('REASON_', '') };
}

function failed(error) {
  return { allowed: false, why: `(${grpc.status[error.code] ?? error.message})` };
}

async function main() {
  const sidegate = new Sidegate(process.argv[2] ?? process.env.SIDEGATE_ADDRESS ?? '127.0.0.1:8650');
  const entity = (text) => ({ type: text.split('/', 1)[0], id: text.slice(text.indexOf('/') + 1) });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [subject, resource, ...actions] = line.trim().split(/\s+/);
    const answers =
      actions.length === 1
        ? new Map([[actions[0], await sidegate.check(entity(subject), actions[0], entity(resource))]])
        : await sidegate.checkAll(entity(subject), entity(resource), actions);
    const said = [...answers].map(([action, a]) => (a.allowed ? `${action}=ALLOW` : `${action}=DENY:${a.why}`));
    console.log(said.join(' '));
  }
  sidegate.close();
}

module.exports = { Sidegate };
if (require.main === module) main();
