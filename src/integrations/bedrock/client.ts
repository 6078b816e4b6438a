import {
  BedrockRuntimeClient,
  ConverseCommand,
  type ConverseCommandInput,
  InvokeModelCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { UndiciHttpHandler } from '@smithy/undici-http-handler';
import { Agent } from 'undici';
import { ServiceError } from '../../errors.ts';
import type { BedrockAnswer, BedrockCall, TokenCounts } from '../codec.ts';
import type { AwsCredentials, CredentialsSource } from './credentials.ts';
import { asServiceError, type CallPlace, mayBeMendedByFreshCredentials } from './errors.ts';

export interface BedrockRequest {
  /** For messages only. */
  readonly place: CallPlace;
  /** The id, profile or ARN that Bedrock is called with. */
  readonly modelId: string;
  readonly call: BedrockCall;
  /** How long each attempt may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface BedrockClient {
  /** One call, signed. Rejects with a ServiceError, or with the signal's reason when it was aborted. */
  send(request: BedrockRequest): Promise<BedrockAnswer>;
  /** Lets running calls end, then closes the connections. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * A client of Bedrock Runtime for one integration: HTTP/1.1 over undici (the SDK's default opens a TLS session a
 * request), SigV4 alone (an AWS_BEARER_TOKEN_BEDROCK in the environment would override the integration's
 * credentials), one attempt a call, since retries are decided by whoever admits calls.
 */
export function createBedrockClient(region: string, credentials: CredentialsSource): BedrockClient {
  // A call's time is limited by its signal; undici's own limits would cut slow models short at five minutes.
  const agent = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS }, headersTimeout: 0, bodyTimeout: 0 });
  const client = new BedrockRuntimeClient({
    region,
    // The SDK keeps credentials that do not expire for ever. Ours decide themselves when to be renewed: an expiry that
    // is always now makes the SDK ask for every request, which costs it one resolved promise.
    credentials: async () => ({ ...(await credentials.get()), expiration: new Date() }),
    requestHandler: new UndiciHttpHandler({ dispatcher: agent }),
    maxAttempts: 1,
    authSchemePreference: ['sigv4'],
  });

  /** One attempt, credentials included, within the call's time. `refused`: those of an attempt before, to be replaced. */
  async function attempt(request: BedrockRequest, signing: Signing, refused?: AwsCredentials): Promise<BedrockAnswer> {
    // Not AbortSignal.timeout, which is kept in memory until its time is over, however short the call was.
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(new Error('timeoutMs')), request.timeoutMs);
    const abortSignal = AbortSignal.any([request.signal, timeout.signal]);
    try {
      signing.used = await orAborted(
        refused === undefined ? credentials.get() : credentials.renew(refused),
        abortSignal,
      );
      if (signing.used === refused) throw signing.refusal;
      return request.call.operation === 'Converse'
        ? await converse(client, request.modelId, request.call.input as ConverseCommandInput, abortSignal)
        : await invoke(client, request.modelId, request.call.body, abortSignal);
    } catch (error) {
      if (request.signal.aborted) throw request.signal.reason;
      if (timeout.signal.aborted) {
        const { integration, model } = request.place;
        throw new ServiceError(
          'MODEL_TIMEOUT',
          `${integration}:${model}: no answer within ${request.timeoutMs} ms (timeoutMs)`,
        );
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    async send(request) {
      const signing: Signing = { used: undefined, refusal: undefined };
      try {
        try {
          return await attempt(request, signing);
        } catch (error) {
          if (signing.used === undefined || !mayBeMendedByFreshCredentials(error)) throw error;
          // Once more with fresh credentials; where there are none, the refusal stands.
          signing.refusal = error;
          return await attempt(request, signing, signing.used);
        }
      } catch (error) {
        if (request.signal.aborted) throw request.signal.reason;
        throw asServiceError(error, request.place);
      }
    },
    async close() {
      await agent.close();
      client.destroy();
    },
  };
}

/** What one call was signed with, and why it was refused. */
interface Signing {
  used: AwsCredentials | undefined;
  refusal: unknown;
}

/** Waits no longer than the signal lets it; what was begun goes on for whoever else waits for it. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

async function converse(
  client: BedrockRuntimeClient,
  modelId: string,
  input: Omit<ConverseCommandInput, 'modelId'>,
  abortSignal: AbortSignal,
): Promise<BedrockAnswer> {
  const body = await client.send(new ConverseCommand({ ...input, modelId }), { abortSignal });
  return { body, tokens: {} };
}

async function invoke(
  client: BedrockRuntimeClient,
  modelId: string,
  body: Readonly<Record<string, unknown>>,
  abortSignal: AbortSignal,
): Promise<BedrockAnswer> {
  const command = new InvokeModelCommand({
    modelId,
    contentType: 'application/json',
    accept: 'application/json',
    body: JSON.stringify(body),
  });
  // The SDK's output has no headers, and tokens are counted nowhere else.
  let tokens: TokenCounts = {};
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      tokens = tokensIn((result.response as { headers?: Record<string, string> }).headers ?? {});
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
  const output = await client.send(command, { abortSignal });
  return { body: parse(output.body.transformToString()), tokens };
}

/** A body that is no JSON is left as text: the codec then says that the answer has not the form of its family. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function tokensIn(headers: Readonly<Record<string, string>>): TokenCounts {
  return {
    prompt: count(headers['x-amzn-bedrock-input-token-count']),
    completion: count(headers['x-amzn-bedrock-output-token-count']),
  };
}

function count(header: string | undefined): number | undefined {
  return header !== undefined && /^\d+$/.test(header) ? Number(header) : undefined;
}
