import type { World } from './world.ts';
import { PREFIX } from './world.ts';

/** A chat model that the simulator serves through Converse, and the embedding model. */
export const TEXT_MODEL = 'amazon.nova-micro-v1:0';
export const EMBEDDING_MODEL = 'cohere.embed-v4:0';

/** `integration:model` → its `configuration`. */
export type ModelConfigurations = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Integrations, models and the right of every workflow named `bench_…` to use them. */
export async function writeRecords({ redis }: World, models: ModelConfigurations): Promise<void> {
  const integrations = new Set(Object.keys(models).map((name) => name.split(':', 1)[0] ?? ''));
  const integration = JSON.stringify({
    type: 'aws_bedrock_cohere',
    configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
  });
  const writes = redis.pipeline();
  writes.hset(`${PREFIX}applications`, 'bench', '{"workflows":["bench_*"]}');
  for (const name of integrations) {
    writes.hset(`${PREFIX}grants:USER:app:bench`, `INTEGRATION_PROVIDER:${name}`, 'EXECUTE');
    writes.hset(`${PREFIX}integrations`, name, integration);
  }
  for (const [name, configuration] of Object.entries(models)) {
    writes.hset(`${PREFIX}models`, name, JSON.stringify({ configuration }));
  }
  await writes.exec();
}
