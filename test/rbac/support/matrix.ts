/**
 * Who may do what, as the documents say it (docs/access.md), written down by hand: for the matrix of the decision itself,
 * and for the one of `can` over records in Redis.
 */
import type { Target } from '../../../src/rbac/decision.ts';
import type { Access } from '../../../src/rbac/grants.ts';
import type { Written } from './written-world.ts';

const TEAM = { key: 'team', value: 'risk' };
const GOLD = { key: 'tier', value: 'gold' };
const DRAFT = { key: 'state', value: 'draft' };
const OWNED = { key: 'owner', value: 'claims' };

/** What is asked about, each with the tags that it and, for a model, its integration carry. */
export const TARGETS = {
  integration: { kind: 'integration', integration: 'prod', tags: [TEAM] },
  model: { kind: 'model', integration: 'prod', model: 'cohere.embed-v4:0', tags: [GOLD, TEAM] },
  prompt: { kind: 'prompt', prompt: 'summarize', tags: [DRAFT] },
  application: { kind: 'application', application: 'billing', tags: [OWNED] },
} as const satisfies Record<string, Target>;
export type Kind = keyof typeof TARGETS;
export const KINDS = Object.keys(TARGETS) as Kind[];

export interface Way {
  /** Who asks, as people type it. */
  readonly subject: string;
  /** Whose the grant is. */
  readonly holder: string;
  /** What makes the one stand for the other. */
  readonly world: Written;
  /** From the subject to the holder. */
  readonly chain: readonly string[];
}

/** Each way a subject can come by a grant: who holds it, and the chain down to the holder. */
export const WAYS: Readonly<Record<string, Way>> = {
  'a user itself': { subject: 'alice', holder: 'USER:alice', world: {}, chain: ['USER:alice'] },
  'an application itself': {
    subject: 'app:claims',
    holder: 'USER:app:claims',
    world: { applications: { claims: [] } },
    chain: ['USER:app:claims'],
  },
  'a group itself': { subject: 'GROUP:g', holder: 'GROUP:g', world: { groups: { g: [] } }, chain: ['GROUP:g'] },
  'a role itself': { subject: 'ROLE:reader', holder: 'ROLE:reader', world: {}, chain: ['ROLE:reader'] },
  'a user through its group': {
    subject: 'alice',
    holder: 'GROUP:g',
    world: { groups: { g: [] }, members: { g: ['alice'] } },
    chain: ['USER:alice', 'GROUP:g'],
  },
  'an application through its group': {
    subject: 'app:claims',
    holder: 'GROUP:g',
    world: { applications: { claims: [] }, groups: { g: [] }, members: { g: ['app:claims'] } },
    chain: ['USER:app:claims', 'GROUP:g'],
  },
  'a user through a role of its record': {
    subject: 'alice',
    holder: 'ROLE:reader',
    world: { users: { alice: ['reader'] } },
    chain: ['USER:alice', 'ROLE:reader'],
  },
  'an application through a role of its record': {
    subject: 'app:claims',
    holder: 'ROLE:reader',
    world: { applications: { claims: ['reader'] } },
    chain: ['USER:app:claims', 'ROLE:reader'],
  },
  'a user through a role of its group': {
    subject: 'alice',
    holder: 'ROLE:reader',
    world: { groups: { g: ['reader'] }, members: { g: ['alice'] } },
    chain: ['USER:alice', 'GROUP:g', 'ROLE:reader'],
  },
  'an application through a role of its group': {
    subject: 'app:claims',
    holder: 'ROLE:reader',
    world: { applications: { claims: [] }, groups: { g: ['reader'] }, members: { g: ['app:claims'] } },
    chain: ['USER:app:claims', 'GROUP:g', 'ROLE:reader'],
  },
  'a group through its role': {
    subject: 'GROUP:g',
    holder: 'ROLE:reader',
    world: { groups: { g: ['reader'] } },
    chain: ['GROUP:g', 'ROLE:reader'],
  },
};

interface Covered {
  /** For these, a grant of an access gives that access. */
  readonly gives: readonly Access[];
  /** For these, a grant of the access lets tasks run. */
  readonly runs: readonly Access[];
}

const ALL: readonly Access[] = ['CREATE', 'READ', 'EXECUTE', 'UPDATE', 'DELETE'];
const FULLY: Covered = { gives: ALL, runs: ['EXECUTE'] };

/** What a grant on each target is worth, by the kind of what is asked about. What is not here is worth nothing. */
export const GRANTED: Readonly<Record<string, Partial<Record<Kind, Covered>>>> = {
  'INTEGRATION:prod:cohere.embed-v4:0': { model: FULLY },
  'INTEGRATION:prod:another': {},
  'INTEGRATION_PROVIDER:prod': { integration: FULLY, model: FULLY },
  'INTEGRATION_PROVIDER:pro': {},
  'TAG:team:risk': { integration: FULLY, model: FULLY },
  'TAG:tier:gold': { model: FULLY },
  'TAG:tier:silver': {},
  'PROMPT:summarize': { prompt: { gives: ALL, runs: ['EXECUTE', 'READ'] } },
  'PROMPT:another': {},
  'TAG:state:draft': { prompt: { gives: ['CREATE', 'READ', 'UPDATE', 'DELETE'], runs: [] } },
  'APPLICATION:billing': { application: FULLY },
  'APPLICATION:another': {},
  'TAG:owner:claims': { application: FULLY },
  'WORKFLOW_DEF:prod': {},
};
