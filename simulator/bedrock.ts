/** Bedrock runtime: from a verified call of InvokeModel or Converse to its answer. */
import type { Principal } from './credentials.ts';
import { AwsError, validationError } from './errors.ts';
import { answerCommand } from './families/command.ts';
import { answerCommandR } from './families/command-r.ts';
import { answerConverse } from './families/converse.ts';
import { answerEmbedV3 } from './families/embed-v3.ts';
import { answerEmbedV4 } from './families/embed-v4.ts';
import type { Answering, AnswerSettings, FamilyAnswer } from './families/family.ts';
import { answerRerank } from './families/rerank.ts';
import type { FamilyName, Models, ResolvedModel } from './models.ts';
import { judge } from './policy.ts';

export interface BedrockRoute {
  readonly operation: 'InvokeModel' | 'Converse';
  readonly modelId: string;
}

/** Reads a path as it came over the wire; undefined for what is no operation that is simulated. */
export function bedrockRoute(path: string): BedrockRoute | undefined {
  const [, encoded, word] = /^\/model\/([^/]+)\/(invoke|converse)$/.exec(path) ?? [];
  if (encoded === undefined) return undefined;
  try {
    return { operation: word === 'invoke' ? 'InvokeModel' : 'Converse', modelId: decodeURIComponent(encoded) };
  } catch {
    return undefined;
  }
}

export interface BedrockCall extends BedrockRoute {
  readonly region: string;
  readonly caller: Principal;
  /** The header `content-type`. */
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

export interface Bedrock {
  /** Throws AwsError. */
  answer(call: BedrockCall): FamilyAnswer;
}

/** Converse-only models have no body of their own here. */
const INVOKE: Readonly<Partial<Record<FamilyName, Answering>>> = {
  command: answerCommand,
  'command-r': answerCommandR,
  'embed-v3': answerEmbedV3,
  'embed-v4': answerEmbedV4,
  rerank: answerRerank,
};
const CONVERSING: readonly FamilyName[] = ['converse', 'command', 'command-r'];

export function createBedrock(parts: { models: Models; settings: AnswerSettings }): Bedrock {
  return {
    answer({ operation, modelId, region, caller, contentType, body }) {
      const model = parts.models.resolve(modelId, region);
      authorise(caller, model);
      const answering = answeringOf(operation, model);
      // An absent `contentType` makes the SDK send application/octet-stream; the reference asks for application/json.
      if (contentType?.split(';')[0]?.trim().toLowerCase() !== 'application/json') {
        throw validationError(`The content type ${contentType ?? '(none)'} is not supported: use application/json.`);
      }
      return answering(parseJson(body), {
        settings: parts.settings,
        family: model.family,
        modelName: model.name,
        maxTokens: model.maxTokens,
      });
    },
  };
}

/** `bedrock:InvokeModel` is what Converse asks for, too. Only a session policy narrows: users may do everything. */
function authorise({ arn, session }: Principal, { resources }: ResolvedModel): void {
  const action = 'bedrock:InvokeModel';
  if (session?.policy === undefined) return;
  for (const resource of resources) {
    const verdict = judge(session.policy, action, resource);
    if (verdict === 'allowed') continue;
    const because =
      verdict === 'denied'
        ? 'with an explicit deny in a session policy'
        : `because no session policy allows the ${action} action`;
    throw new AwsError(
      'AccessDeniedException',
      `User: ${arn} is not authorized to perform: ${action} on resource: ${resource} ${because}`,
    );
  }
}

function answeringOf(operation: BedrockRoute['operation'], { family }: ResolvedModel): Answering {
  if (operation === 'Converse') {
    if (CONVERSING.includes(family)) return answerConverse;
    throw validationError(
      "This action doesn't support the model that you provided. Try again with a supported text or chat model.",
    );
  }
  const answering = INVOKE[family];
  if (answering === undefined) throw validationError('The simulator serves this model through Converse only.');
  return answering;
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw validationError('Malformed input request, please reformat your input and try again.');
  }
}
