/** A task handler over records given as objects, with Bedrock as a function: what was sent can be read. */

import { chatComplete } from '../../../src/calls/kinds/chat-complete.ts';
import { generateEmbeddings } from '../../../src/calls/kinds/generate-embeddings.ts';
import { rerank } from '../../../src/calls/kinds/rerank.ts';
import { textComplete } from '../../../src/calls/kinds/text-complete.ts';
import { createLaneLimits } from '../../../src/calls/lane-limits.ts';
import type { AccessMode } from '../../../src/calls/permission.ts';
import { furtherAtOnce } from '../../../src/calls/several-requests.ts';
import type { KeyContent } from '../../../src/catalog/read-keys.ts';
import { rebuild } from '../../../src/catalog/rebuild.ts';
import { NOTHING, Snapshot } from '../../../src/catalog/snapshot.ts';
import type { TokenPins } from '../../../src/cluster/token-pins.ts';
import type { AnswerCache } from '../../../src/integrations/answer-cache.ts';
import type { CredentialsRefused } from '../../../src/integrations/bedrock/client.ts';
import type { BedrockAnswer } from '../../../src/integrations/codec.ts';
import type { IntegrationConfiguration } from '../../../src/integrations/integration.ts';
import type { SubjectSource } from '../../../src/rbac/task-subject.ts';
import { HASH_KINDS, type HashKind, keyNames } from '../../../src/redis/keys.ts';
import type { Denial } from '../../../src/telemetry/denials.ts';
import type { Hits, Use } from '../../../src/telemetry/usage.ts';
import type { Outcome } from '../../../src/workers/conductor/outcome.ts';
import { createLlmTaskHandler, type LlmTaskParts, type TaskRun } from '../../../src/workers/tasks/llm-task.ts';
import { createSubjectFinder } from '../../../src/workers/tasks/subject-source.ts';
import { createTokenSource } from '../../../src/workers/tasks/token-source.ts';
import { soloLanes } from '../../integrations/lanes/support/solo-lanes.ts';
import { soloLimits } from '../../limits/support/solo-limits.ts';
import { capturedLog, polled, silentMetrics } from './harness.ts';

type Records = { readonly [K in HashKind]?: Readonly<Record<string, unknown>> };
export interface World extends Records {
  readonly members?: Readonly<Record<string, readonly string[]>>;
  readonly grants?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Text as a value stays as it is: a record that is not JSON. */
export async function snapshotOf(world: World, before = NOTHING): Promise<Snapshot> {
  const names = keyNames('cohere:');
  const contents = new Map<string, KeyContent>();
  for (const kind of HASH_KINDS) {
    const fields = Object.entries(world[kind] ?? {}).map(([name, record]) => [
      name,
      typeof record === 'string' ? record : JSON.stringify(record),
    ]);
    contents.set(names.hash(kind), { kind: 'hash', fields: Object.fromEntries(fields) });
  }
  for (const [group, members] of Object.entries(world.members ?? {}))
    contents.set(names.members(group), { kind: 'set', members });
  for (const [subject, fields] of Object.entries(world.grants ?? {}))
    contents.set(names.grants(subject), { kind: 'hash', fields });
  return new Snapshot(await rebuild(before, names, contents));
}

export const COMMAND = 'cohere.command-text-v14';
export const COMMAND_R = 'cohere.command-r-v1:0';
export const EMBED = 'cohere.embed-v4:0';

/** Application `claims` runs the workflows `claims_*` and may use all of `prod`. */
export const WORLD = {
  integrations: {
    prod: { type: 'aws_bedrock_cohere', configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' } },
    off: {
      type: 'aws_bedrock_cohere',
      enabled: false,
      configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
    },
    broken:
      '{"type":"aws_bedrock_cohere","configuration":{"connectionType":"ACCESS_KEY","region":"us-east-1","api_key":"SEKRET"}}',
  },
  models: {
    [`prod:${COMMAND}`]: {},
    [`prod:${COMMAND_R}`]: {},
    [`prod:${EMBED}`]: {},
    'prod:off': { enabled: false, configuration: { family: 'command-r' } },
    'prod:hot': { configuration: { family: 'command-r', defaults: { temperature: 7, maxTokens: 50 } } },
    'prod:named-only': { configuration: { family: 'command-r', rawPrompts: false } },
    'prod:broken': '{"configuration":{"maxConcurency":"SEKRET"}}',
    [`off:${COMMAND_R}`]: {},
    [`broken:${COMMAND_R}`]: {},
  },
  prompts: {
    summarize: {
      template: 'One: ${text}',
      integrations: [`prod:${COMMAND_R}`, 'prod:named-only'],
      versions: { '2': { template: 'Two: ${text} for ${who}' }, '10': { template: 'Ten: ${text}' } },
    },
    broken: '{"tmplate":"SEKRET"}',
    elsewhere: { template: 'x', integrations: [`prod:${EMBED}`] },
  },
  applications: { claims: { name: 'claims', workflows: ['claims_*'] } },
  grants: {
    'USER:app:claims': {
      'INTEGRATION_PROVIDER:prod': 'EXECUTE',
      'INTEGRATION_PROVIDER:off': 'EXECUTE',
      'INTEGRATION_PROVIDER:broken': 'EXECUTE',
      'INTEGRATION_PROVIDER:missing': 'EXECUTE',
      'PROMPT:summarize': 'EXECUTE',
      'PROMPT:broken': 'READ',
      'PROMPT:elsewhere': 'EXECUTE',
      'PROMPT:missing': 'EXECUTE',
    },
  },
} as const satisfies World;

export interface Sent {
  readonly modelId: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface HandlerOptions {
  readonly world?: World;
  readonly mode?: AccessMode;
  readonly sources?: readonly SubjectSource[];
  readonly pins?: TokenPins;
  /** While credentials are fetched: for a client of this configuration, others than those that were refused. */
  readonly ready?: (
    signal: AbortSignal,
    wanted: { readonly configuration: IntegrationConfiguration; readonly refused: CredentialsRefused | undefined },
  ) => void | Promise<void>;
  /** Requests beyond the first, of all tasks of a lane. Default: no bound. */
  readonly furtherAtOnce?: number;
  /** Default: none, so that every call is made. */
  readonly cache?: AnswerCache;
  /** Where calls go; default: to AWS's own. */
  readonly endpoint?: string;
  readonly answer?: (sent: Sent, signal: AbortSignal) => BedrockAnswer | Promise<BedrockAnswer>;
}

/** Those of one replica, in memory; `asked` has the tokens that it was asked about. */
export function soloPins(): TokenPins & { readonly asked: string[] } {
  const pins = new Map<string, string>();
  const asked: string[] = [];
  return {
    asked,
    async pin(jti, workflowInstanceId) {
      asked.push(jti);
      const pinned = pins.get(jti) ?? workflowInstanceId;
      pins.set(jti, pinned);
      return pinned;
    },
  };
}

export const TEXT_ANSWER: BedrockAnswer = {
  body: { text: 'an answer', finish_reason: 'COMPLETE' },
  tokens: { prompt: 5, completion: 7 },
};

const KINDS = { text: textComplete, chat: chatComplete, embeddings: generateEmbeddings, rerank };

export async function llmHandler(type: keyof typeof KINDS, options: HandlerOptions = {}) {
  let current = await snapshotOf(options.world ?? WORLD);
  const [sent, denied, used, hits] = [[] as Sent[], [] as Denial[], [] as Use[], [] as Hits[]];
  const captured = capturedLog();
  const state = { mayDecide: true };
  const clientsUsed: IntegrationConfiguration[] = [];
  const {
    lanes,
    deferrals,
    forgotten,
    released,
    state: laneState,
  } = soloLanes({ limitsOf: createLaneLimits(() => current) });
  const [tokenLimits, metrics] = [soloLimits(), silentMetrics()];
  const parts: LlmTaskParts = {
    catalog: () => current,
    mayDecide: () => state.mayDecide,
    subjects: createSubjectFinder({
      sources: options.sources ?? ['token', 'application'],
      tokens: createTokenSource({ catalog: () => current, pins: options.pins ?? soloPins() }),
      conductor: { workflowOrigin: async () => ({ createdBy: undefined, ownerEmail: undefined }) },
      authenticated: async () => false,
    }),
    mode: options.mode ?? 'enforce',
    denials: { record: (denial) => void denied.push(denial), flush: async () => undefined },
    lanes,
    clients: {
      withClient: (_integration, configuration, use) =>
        use({
          async send({ modelId, call, signal }) {
            const one = { modelId, body: call.operation === 'InvokeModel' ? call.body : { ...call.input } };
            sent.push(one);
            clientsUsed.push(configuration);
            return (options.answer ?? (() => TEXT_ANSWER))(one, signal);
          },
          ready: async (_place, _timeoutMs, signal, refused) => options.ready?.(signal, { configuration, refused }),
          close: async () => undefined,
        }),
      keepOnly: () => undefined,
      close: async () => undefined,
    },
    metrics,
    usage: {
      record(use) {
        used.push(use);
        tokenLimits.record(use);
      },
    },
    limits: tokenLimits.limits,
    ...(options.furtherAtOnce === undefined ? {} : { further: furtherAtOnce(options.furtherAtOnce) }),
    ...(options.cache === undefined
      ? {}
      : {
          cache: {
            ...{ answers: options.cache, metrics, endpoint: options.endpoint },
            usage: { recordHits: (one) => void hits.push(one) },
          },
        }),
    log: captured.log,
  };
  const handler = createLlmTaskHandler(KINDS[type], parts);
  const [waiting, running] = [new AbortController(), new AbortController()];
  return {
    sent,
    /** Of each call that was sent: the configuration that its client is of. */
    clientsUsed,
    laneState,
    denied,
    /** What was counted. */
    used,
    /** What was given from the cache. */
    hits,
    state,
    tokenLimits,
    metrics,
    captured,
    lanes,
    deferrals,
    /** Tasks whose tickets were given up. */
    forgotten,
    /** Leases, with the tokens that their calls took. */
    released,
    waiting,
    running,
    async change(world: World) {
      current = await snapshotOf(world, current.parts);
    },
    run: (
      input: Record<string, unknown>,
      fields: Record<string, unknown> = {},
      more: Partial<TaskRun> = {},
    ): Promise<Outcome> =>
      handler({
        task: polled({ inputData: { llmProvider: 'prod', model: COMMAND_R, ...input }, ...fields }),
        waiting: waiting.signal,
        running: running.signal,
        ...more,
      }),
  };
}

/** The error of an outcome that must be a failure. */
export function errorOf(outcome: Outcome) {
  if (outcome.kind !== 'fail') throw new Error(`not a failure: ${JSON.stringify(outcome)}`);
  return outcome.error;
}

/** The output of an outcome that must be a success. */
export function outputOf(outcome: Outcome): Readonly<Record<string, unknown>> {
  if (outcome.kind !== 'complete') throw new Error(outcome.kind === 'fail' ? outcome.error.message : outcome.kind);
  return outcome.output;
}
