import { channel } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningProcess } from '../devservers/processes.ts';
import { startSimulator } from '../simulator/simulator.ts';
import { startStubConductor } from './stub/stub-conductor.ts';
import { percentile, round } from './support/measure.ts';
import type { BenchOptions } from './support/options.ts';
import { TEXT_MODEL, writeRecords } from './support/records.ts';
import { peer } from './support/rounds.ts';
import { defineWorkload, QUEUES } from './support/workload.ts';
import { startWorld } from './support/world.ts';

/** Long enough that the worker has sent its update and polls again. */
const PAUSE_MS = 30;
const WARM_UP = 200;

/**
 * What the worker adds to a task: from the answer to its poll until its request reaches Bedrock. The stub Conductor and
 * the simulator share this process, and so one clock; one task at a time, so the worker is idle when it comes. The ways
 * over the loopback and reading the heads of both messages are counted with it; the program `transport` shows how much
 * they are, a bare loop what signing with AWS's SDK costs.
 */
export async function benchLatency({ quick }: BenchOptions) {
  const samples = quick ? 300 : 2_000;
  let answeredAt = 0;
  let arrived = Promise.withResolvers<number>();
  const requests = channel('http.server.request.start');
  const onRequest = (message: unknown) => {
    const { request } = message as { readonly request: IncomingMessage };
    if (request.url?.startsWith('/model/')) arrived.resolve(performance.now());
  };
  requests.subscribe(onRequest);
  const onTasks = () => {
    answeredAt = performance.now();
  };
  const stub = await startStubConductor({ onTasks });
  const simulator = await startSimulator();
  try {
    await using world = await startWorld({ conductor: 'stub', conductorUrl: stub.url, simulatorUrl: simulator.url });
    await writeRecords(world, { [`b:${TEXT_MODEL}`]: {} });
    const input = { llmProvider: 'b', model: TEXT_MODEL, prompt: 'Summarize: the roof leaked.', maxTokens: 100 };
    const workload = await defineWorkload(world, 'text', QUEUES.text, input);
    const measure = async (running: RunningProcess) => {
      const waits: number[] = [];
      for (let sample = 0; sample < WARM_UP + samples; sample += 1) {
        arrived = Promise.withResolvers();
        await workload.queue(1);
        const at = await Promise.race([arrived.promise, sleep(10_000, Number.NaN, { ref: false })]);
        if (Number.isNaN(at)) throw new Error(`no request came within 10 s: ${running.tail()}`);
        if (sample >= WARM_UP) waits.push(at - answeredAt);
        await sleep(PAUSE_MS);
      }
      await running.stop();
      const at = (part: number) => round(percentile(waits, part), 3);
      return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
    };
    const measurePeer = async (file: string) => measure(await world.start(file, peer(world, file, QUEUES.text, 1)));
    const transport = await measurePeer('transport.ts');
    const worker = await measure(await world.startWorker());
    const bareLoop = await measurePeer('bare-loop.ts');
    return {
      ...{ conductor: 'stub, in one process with the simulator', samples, unit: 'ms' },
      pollAnswerToBedrockRequest: { worker, bareLoop, transport },
      ownP50: { worker: round(worker.p50 - transport.p50), bareLoop: round(bareLoop.p50 - transport.p50) },
    };
  } finally {
    requests.unsubscribe(onRequest);
    await stub.close();
    await simulator.close();
  }
}
