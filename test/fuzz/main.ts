/** `npm run fuzz`: every operation of the admin API, as ADMIN and as USER. `--seconds N` each, `--examples N`, `--seed N`. */
import { parseArgs } from 'node:util';
import { startRedis } from '../../devservers/redis-server.ts';
import { fuzz } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '300' },
    examples: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
  },
});
const { seconds, examples, seed } = values;
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const redis = await startRedis();
const outcomes = [];
try {
  for (const role of ['ADMIN', 'USER'] as const) {
    say(`As ${role}, seed ${seed}, ${seconds} s at most`);
    const { failure, ...outcome } = await fuzz({
      redisUrl: redis.url,
      role,
      examples: Number(examples),
      seconds: Number(seconds),
      seed: Number(seed),
      phases: ['examples', 'coverage', 'fuzzing', 'stateful'],
      say,
    });
    outcomes.push({ role, ...outcome, clean: failure === null });
  }
} finally {
  await redis.stop();
}
process.stdout.write(`${JSON.stringify({ seed: Number(seed), outcomes })}\n`);
process.exitCode = outcomes.every(({ clean }) => clean) ? 0 : 1;
