import type { World } from './world.ts';

/** One integration `main` and its models, with their `configuration`; every workflow `NAME_*` may use all of it. */
export async function seed(
  world: World,
  name: string,
  models: Readonly<Record<string, object>>,
  {
    isNew = false,
  }: {
    /** A Redis that knows of no worker yet: nothing is admitted for the time of a lease. */ readonly isNew?: boolean;
  } = {},
): Promise<void> {
  const configuration = { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' };
  const writes = world.redis.pipeline();
  writes.hset(world.key('applications'), name, JSON.stringify({ workflows: [`${name}_*`] }));
  writes.hset(world.key(`grants:USER:app:${name}`), 'INTEGRATION_PROVIDER:main', 'EXECUTE');
  for (const [model, limits] of Object.entries(models)) {
    writes.hset(world.key('models'), `main:${model}`, JSON.stringify({ configuration: limits }));
  }
  if (!isNew) writes.set(world.key('run:epoch'), '1');
  // Last: from then on the catalog is one.
  writes.hset(world.key('integrations'), 'main', JSON.stringify({ type: 'aws_bedrock_cohere', configuration }));
  await writes.exec();
}
