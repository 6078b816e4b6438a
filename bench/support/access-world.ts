import type { Redis } from 'ioredis';
import { integrationTarget, modelTarget, type TargetId, tagTarget } from '../../src/rbac/grants.ts';
import type { KeyNames } from '../../src/redis/keys.ts';

/** How many there are of everything that a decision looks at. */
export interface AccessWorldSize {
  readonly users: number;
  readonly groups: number;
  readonly models: number;
  /** Of users and groups together, half each. */
  readonly grants: number;
}

const MODELS_AN_INTEGRATION = 50;
const GROUPS_A_USER = 3;
const ROLES = 50;
const GRANTS_A_ROLE = 20;
const TAG_VALUES = 20;
const COMMANDS_AT_ONCE = 2_000;

export const integrationName = (model: number): string => `bedrock-${Math.floor(model / MODELS_AN_INTEGRATION)}`;
export const modelName = (model: number): string => `cohere.model-${model}-v1:0`;
export const userName = (user: number): string => `user-${user}@example.com`;
export const groupName = (group: number): string => `group-${group}`;
export const tagsOf = (model: number) => [{ key: 'tier', value: `${model % TAG_VALUES}` }];

/** The same numbers at every run (mulberry32). */
export function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

/**
 * Writes users, each a member of three groups; one in ten users and groups with a role; models of fifty an integration,
 * each with a tag; grants, most of them on models, some on integrations and tags. How many of each there are then.
 */
export async function writeAccessWorld(redis: Redis, names: KeyNames, size: AccessWorldSize) {
  const random = createRandom(1);
  const write = batchedWriter(redis);
  const integration = JSON.stringify({
    type: 'aws_bedrock_cohere',
    configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
  });
  const target = (): TargetId => {
    const model = random(size.models);
    const dice = random(100);
    if (dice < 90) return modelTarget(integrationName(model), modelName(model));
    return dice < 95 ? integrationTarget(integrationName(model)) : tagTarget('tier', `${model % TAG_VALUES}`);
  };
  const rolesOf = (index: number): string[] => (index % 10 === 0 ? [`role-${random(ROLES)}`] : []);
  let grants = 0;
  const grant = async (subject: string, count: number): Promise<void> => {
    const held = new Map<TargetId, string>();
    while (held.size < count)
      held.set(target(), random(4) === 0 ? 'READ' : random(2) === 0 ? 'EXECUTE' : 'READ,EXECUTE');
    grants += held.size;
    await write('hset', names.grants(subject), ...[...held].flat());
  };

  for (let model = 0; model < size.models; model += 1) {
    const record = JSON.stringify({ configuration: { maxConcurrency: 8 }, tags: tagsOf(model) });
    await write('hset', names.hash('integrations'), integrationName(model), integration);
    await write('hset', names.hash('models'), `${integrationName(model)}:${modelName(model)}`, record);
  }
  for (let role = 0; role < ROLES; role += 1) {
    await write('hset', names.hash('roles'), `role-${role}`, '{"description":"a role"}');
    await grant(`ROLE:role-${role}`, GRANTS_A_ROLE);
  }
  for (let group = 0; group < size.groups; group += 1) {
    const record = JSON.stringify({ description: `The group ${group} of the bench`, roles: rolesOf(group) });
    await write('hset', names.hash('groups'), groupName(group), record);
    await grant(`GROUP:${groupName(group)}`, size.grants / 2 / size.groups);
  }
  for (let user = 0; user < size.users; user += 1) {
    const id = userName(user);
    const record = { id, name: `User ${user}`, roles: rolesOf(user), createTime: 1_790_000_000_000, createdBy: 'root' };
    await write('hset', names.hash('users'), id, JSON.stringify(record));
    for (let n = 0; n < GROUPS_A_USER; n += 1) await write('sadd', names.members(groupName(random(size.groups))), id);
    await grant(`USER:${id}`, size.grants / 2 / size.users);
  }
  await write.end();
  return { ...size, grants, roles: ROLES, memberships: size.users * GROUPS_A_USER };
}

function batchedWriter(redis: Redis) {
  let pipeline = redis.pipeline();
  const end = async (): Promise<void> => {
    const replies = (await pipeline.exec()) ?? [];
    const failed = replies.find(([error]) => error !== null)?.[0];
    if (failed) throw failed;
    pipeline = redis.pipeline();
  };
  const write = async (command: string, ...args: string[]): Promise<void> => {
    pipeline.call(command, ...args);
    if (pipeline.length >= COMMANDS_AT_ONCE) await end();
  };
  return Object.assign(write, { end });
}
