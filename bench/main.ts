/** `npm run bench -- NAME…`: measurements on real servers, each printing one JSON line last. Not part of the tests. */
import { parseArgs } from 'node:util';
import { endAllChildren } from '../devservers/processes.ts';
import { benchAiModule } from './ai-module.ts';
import { benchAuthorize } from './authorize.ts';
import { benchBatching } from './batching.ts';
import { benchCache } from './cache.ts';
import { benchCatalog } from './catalog.ts';
import { benchChaos } from './chaos.ts';
import { benchCluster } from './cluster.ts';
import { benchDeferral } from './deferral.ts';
import { benchEngine } from './engine.ts';
import { benchLanes } from './lanes.ts';
import { benchLatency } from './latency.ts';
import { benchMemory } from './memory.ts';
import { benchSlots } from './slots.ts';
import type { BenchOptions } from './support/options.ts';
import { benchUpdateV2 } from './update-v2.ts';
import { benchUsage } from './usage.ts';

const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<object>>> = {
  'ai-module': benchAiModule,
  authorize: benchAuthorize,
  batching: benchBatching,
  cache: benchCache,
  catalog: benchCatalog,
  chaos: benchChaos,
  cluster: benchCluster,
  deferral: benchDeferral,
  engine: benchEngine,
  lanes: benchLanes,
  latency: benchLatency,
  memory: benchMemory,
  slots: benchSlots,
  'update-v2': benchUpdateV2,
  usage: benchUsage,
};

const HELP = `npm run bench -- NAME… [--quick] [--json] [--conductor=real|stub] [--rounds=N]

  NAME             ${Object.keys(BENCHES).join(', ')}
  --quick          small enough for about a minute: shows that it runs, not what it measures
  --json           one JSON line a bench on stdout and nothing else, as without it
  --conductor=…    another Conductor than the bench is meant for
  --rounds=N       how often programs take turns, where they do
`;

async function main(): Promise<number> {
  const options = {
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    conductor: { type: 'string' },
    rounds: { type: 'string' },
    help: { type: 'boolean' },
  } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const unknown = positionals.filter((name) => !Object.hasOwn(BENCHES, name));
  const { conductor, quick = false } = values;
  const isConductor = conductor === undefined || conductor === 'real' || conductor === 'stub';
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  const areRounds = rounds === undefined || (Number.isInteger(rounds) && rounds > 0);
  if (values.help || positionals.length === 0 || unknown.length > 0 || !isConductor || !areRounds) {
    process.stderr.write(`${unknown.length > 0 ? `Not a bench: ${unknown.join(', ')}\n\n` : ''}${HELP}`);
    return values.help ? 0 : 2;
  }
  for (const name of positionals) {
    const figures = await BENCHES[name]?.({ quick, conductor, rounds });
    process.stdout.write(`${JSON.stringify({ bench: name, quick, node: process.version, ...figures })}\n`);
  }
  return 0;
}

// Whoever waits for a program that ends now fails, and stops what it started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, endAllChildren);
try {
  process.exitCode = await main();
} finally {
  endAllChildren();
}
