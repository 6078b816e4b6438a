/** What the search for leaks is done on: integrations of every connection type, their secrets written in every way. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ACCOUNT as SIMULATED_ACCOUNT } from '../../../simulator/known.ts';
import type { TaskToRun, World } from './world.ts';

export const EMBED = 'cohere.embed-v4:0';
export const CHAT = 'amazon.nova-lite-v1:0';
export const REFUSED = 'amazon.nova-pro-v1:0';
/** In a role's ARN, which an administrator writes and whoever may READ the integration sees. */
export const ROLE_ACCOUNT = '444455556666';
export const AWS_ACCOUNT = '998877665544';
export const WORDS_ACCOUNT = '121234345656';

export const WAYS = ['bare', 'manifest', 'api', 'env', 'file'] as const;
export type Way = (typeof WAYS)[number];
export const keyOf = (way: Way) => ({
  accessKeyId: `AKIALEAKS${way.toUpperCase()}0000000`,
  secretAccessKey: `key/${way}+nightin"gale\\1`,
});
export const roleOf = (way: Way) => ({
  arn: `arn:aws:iam::${ROLE_ACCOUNT}:role/${way}`,
  externalId: `ext/${way}=nightingale+2`,
});
export const WRONG_KEY = 'key/wrong+nightin"gale\\3';
export const WRONG_EXTERNAL_ID = 'ext/wrong=nightingale+4';

export const accounts = {
  'account of the record': AWS_ACCOUNT,
  'account in the words of AWS': WORDS_ACCOUNT,
  'account of roles': ROLE_ACCOUNT,
  'account of the caller': SIMULATED_ACCOUNT,
};

export const references = () => ({
  LEAKS_KEY: keyOf('env').secretAccessKey,
  LEAKS_EXTERNAL_ID: roleOf('env').externalId,
});
export const asKey = (user: string, api_key: string) => ({
  connectionType: 'ACCESS_KEY',
  region: 'us-east-1',
  user,
  api_key,
  awsAccountId: AWS_ACCOUNT,
});
export const asRole = (roleArn: string, externalId: string) => ({
  connectionType: 'EXTERNAL_ROLE',
  region: 'us-east-1',
  roleArn,
  externalId,
});
export const record = (configuration: object) => ({ type: 'aws_bedrock_cohere', configuration });

export const PROVIDERS = ['own', 'key-wrong', 'role-wrong', ...WAYS.flatMap((way) => [`key-${way}`, `role-${way}`])];

/** Without what administrators wrote for all to see, and what the contract keeps in the record as it is. */
export function cleaned(text: string): string {
  return text
    .replaceAll(/arn:aws:iam::444455556666:role\/[\w-]+/g, 'ROLE')
    .replaceAll(`\\"awsAccountId\\":\\"${AWS_ACCOUNT}\\"`, '');
}

export const task = (
  provider: string,
  input: object = {},
  workflow = `leaks_${provider.replaceAll('-', '_')}`,
): TaskToRun => ({
  workflow,
  type: 'LLM_GENERATE_EMBEDDINGS',
  input: { llmProvider: provider, model: EMBED, text: 'Hi', ...input },
});
export const chat = (model: string, input: object = {}): TaskToRun => ({
  workflow: `leaks_chat_${model.replaceAll(/\W/g, '_')}`,
  type: 'LLM_TEXT_COMPLETE',
  input: { llmProvider: 'own', model, prompt: 'Hi', ...input },
});

/** Makes the simulator know every key and role, and writes the files; answers the secrets by name. */
export async function prepareAws(world: World, folder: string): Promise<Record<string, string>> {
  const secrets: Record<string, string> = { 'wrong access key': WRONG_KEY, 'wrong external id': WRONG_EXTERNAL_ID };
  for (const way of WAYS) {
    await world.control('credentials', keyOf(way));
    await world.control('roles', roleOf(way));
    secrets[`access key, ${way}`] = keyOf(way).secretAccessKey;
    secrets[`external id, ${way}`] = roleOf(way).externalId;
  }
  await world.control('roles', { arn: `arn:aws:iam::${ROLE_ACCOUNT}:role/wrong`, externalId: 'another-than-sent' });
  const words = `User: arn:aws:sts::${WORDS_ACCOUNT}:assumed-role/caller/session is not authorized to perform: bedrock:InvokeModel on arn:aws:bedrock:us-east-1:${WORDS_ACCOUNT}:model/x in account ${WORDS_ACCOUNT}`;
  await world.control('faults', { model: REFUSED, fault: { name: 'AccessDeniedException', message: words } });
  await writeFile(join(folder, 'key'), keyOf('file').secretAccessKey);
  await writeFile(join(folder, 'external-id'), roleOf('file').externalId);
  return secrets;
}

/** What an administrator types with redis-cli. */
export async function writeByHand(world: World): Promise<void> {
  await world.redis.hset(world.key('integrations'), {
    own: JSON.stringify(record({ connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' })),
    'key-bare': JSON.stringify(record(asKey(keyOf('bare').accessKeyId, keyOf('bare').secretAccessKey))),
    'role-bare': JSON.stringify(record(asRole(roleOf('bare').arn, roleOf('bare').externalId))),
    'key-env': JSON.stringify(record(asKey(keyOf('env').accessKeyId, 'env:LEAKS_KEY'))),
    'role-env': JSON.stringify(record(asRole(roleOf('env').arn, 'env:LEAKS_EXTERNAL_ID'))),
    'key-file': JSON.stringify(record(asKey(keyOf('file').accessKeyId, 'file:key'))),
    'role-file': JSON.stringify(record(asRole(roleOf('file').arn, 'file:external-id'))),
  });
  await world.redis.hset(
    world.key('applications'),
    'leaks',
    '{"workflows":["leaks_*"]}',
    'denied',
    '{"workflows":["denied_*"]}',
  );
}

/** What comes by `apply`: JSON is YAML. */
export const MANIFEST = JSON.stringify({
  integrations: {
    'key-manifest': record(asKey(keyOf('manifest').accessKeyId, keyOf('manifest').secretAccessKey)),
    'role-manifest': record(asRole(roleOf('manifest').arn, roleOf('manifest').externalId)),
    'key-wrong': record(asKey('AKIALEAKSWRONG000000', WRONG_KEY)),
    'role-wrong': record(asRole(`arn:aws:iam::${ROLE_ACCOUNT}:role/wrong`, WRONG_EXTERNAL_ID)),
  },
});

/** Models of all integrations, and the grants of the application whose workflows use them. */
export async function writeGrants(world: World): Promise<void> {
  const models = PROVIDERS.map((provider) => `${provider}:${EMBED}`);
  await world.redis.hset(
    world.key('models'),
    Object.fromEntries([...models, `own:${CHAT}`, `own:${REFUSED}`].map((name) => [name, '{}'])),
  );
  await world.redis.hset(
    world.key('grants:USER:app:leaks'),
    Object.fromEntries(PROVIDERS.map((name) => [`INTEGRATION_PROVIDER:${name}`, 'READ,EXECUTE'])),
  );
}
