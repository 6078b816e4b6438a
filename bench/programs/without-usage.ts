/** `node --import` of this: a worker that records no usage, and so knows no limits. What recording costs is measured against it. */
import { registerHooks } from 'node:module';

const SOURCE = `export function createUsageRecorder() {
  const nothing = async () => undefined;
  return { record() {}, start() {}, flush: nothing, stop() {} };
}`;

registerHooks({
  load(url, context, next) {
    if (!url.endsWith('/src/telemetry/usage.ts')) return next(url, context);
    return { format: 'module', source: SOURCE, shortCircuit: true };
  },
});
