/** The SDK's own worker loop with the settings that make it fastest. */
import { createConductorClient, noopLogger, TaskManager } from '@io-orkes/conductor-javascript';
import { answer } from './signed-call.ts';

const [, , server = '', queue = '', atOnce = '64'] = process.argv;
const client = await createConductorClient({
  serverUrl: server,
  maxHttp2Connections: 128,
  disableHttp2: true,
  logger: noopLogger,
});
const manager = new TaskManager(
  client,
  [
    {
      taskDefName: queue,
      execute: async ({ inputData }: { inputData?: Record<string, unknown> }) => ({
        status: 'COMPLETED' as const,
        outputData: await answer(inputData ?? {}),
      }),
    },
  ],
  { options: { concurrency: Number(atOnce), pollInterval: 1, batchPollingTimeout: 1000 }, logger: noopLogger },
);
manager.startPolling();
