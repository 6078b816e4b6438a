import { ConverseCommand, type ConverseCommandInput, InvokeModelCommand } from '@aws-sdk/client-bedrock-runtime';
import { ServiceError } from '../../errors.ts';
import { AnswerLate, type HttpAnswer } from '../../http-exchange.ts';
import type { BedrockAnswer, BedrockCall, TokenCounts } from '../codec.ts';
import type { AwsCredentials, CredentialsSource } from './credentials.ts';
import { asServiceError, type CallPlace, mayBeMendedByFreshCredentials } from './errors.ts';
import { type BedrockRuntime, createBedrockRuntime, type RuntimeCall } from './runtime.ts';

export interface BedrockRequest {
  /** For messages only. */
  readonly place: CallPlace;
  /** The id, profile or ARN that Bedrock is called with. */
  readonly modelId: string;
  readonly call: BedrockCall;
  /** How long each attempt may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What an attempt before this was refused for: this one goes out with other credentials, or not at all. */
  readonly refused?: CredentialsRefused | undefined;
}

/** AWS refused the credentials, and fresh ones may mend it: worth one more attempt, which is to be admitted like any other. */
export class CredentialsRefused extends Error {
  override readonly name = 'CredentialsRefused';
  readonly used: AwsCredentials;
  constructor(used: AwsCredentials, refusal: unknown) {
    super('the credentials were refused', { cause: refusal });
    this.used = used;
  }
}

export interface BedrockClient {
  /**
   * Waits for credentials, others than those `refused`, so that what follows can be decided when the call really starts.
   * Rejects as `send` does, but for a refusal that stands: that is for `send` to say.
   */
  ready(place: CallPlace, timeoutMs: number, signal: AbortSignal, refused?: CredentialsRefused): Promise<void>;
  /**
   * One attempt, signed. Rejects with a ServiceError, with CredentialsRefused where `refused` was not given and another
   * attempt may do better, or with the signal's reason when it was aborted.
   */
  send(request: BedrockRequest): Promise<BedrockAnswer>;
  /** Lets running calls end, then closes the connections. */
  close(): Promise<void>;
}

/** A client of Bedrock Runtime for one integration. */
export function createBedrockClient(region: string, credentials: CredentialsSource): BedrockClient {
  const runtime = createBedrockRuntime(region, credentials);

  async function attempt(request: BedrockRequest, signing: { used?: AwsCredentials }): Promise<BedrockAnswer> {
    const { signal, timeoutMs, place, refused } = request;
    const call = { until: performance.now() + timeoutMs, signal };
    const late = (): Error => new ServiceError('MODEL_TIMEOUT', tooLate(place, timeoutMs));
    try {
      const wanted = refused === undefined ? credentials.get() : credentials.renew(refused.used);
      const used = await inTimeOrAborted(wanted, timeoutMs, late, signal);
      // There are no others: the refusal stands.
      if (used === refused?.used) throw refused.cause;
      signing.used = used;
      return request.call.operation === 'Converse'
        ? await converse(runtime, request.modelId, request.call.input as ConverseCommandInput, call)
        : await invoke(runtime, request.modelId, request.call.body, call);
    } catch (error) {
      throw error instanceof AnswerLate ? late() : error;
    }
  }

  return {
    async ready(place, timeoutMs, signal, refused) {
      const late = (): Error => new ServiceError('MODEL_TIMEOUT', tooLate(place, timeoutMs));
      try {
        const wanted = refused === undefined ? credentials.get() : credentials.renew(refused.used);
        await inTimeOrAborted(wanted, timeoutMs, late, signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        throw asServiceError(error, place);
      }
    },
    async send(request) {
      const signing: { used?: AwsCredentials } = {};
      try {
        return await attempt(request, signing);
      } catch (error) {
        if (request.signal.aborted) throw request.signal.reason;
        const mayBeMended = request.refused === undefined && mayBeMendedByFreshCredentials(error);
        if (signing.used !== undefined && mayBeMended) throw new CredentialsRefused(signing.used, error);
        throw asServiceError(error, request.place);
      }
    },
    close: () => runtime.close(),
  };
}

function tooLate({ integration, model }: CallPlace, timeoutMs: number): string {
  return `${integration}:${model}: no answer within ${timeoutMs} ms (timeoutMs)`;
}

/** Waits no longer than `timeoutMs` and the signal let it; what was begun goes on for whoever else waits for it. */
function inTimeOrAborted<T>(
  promise: Promise<T>,
  timeoutMs: number,
  late: () => Error,
  signal: AbortSignal,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => over(() => reject(signal.reason));
    const timer = setTimeout(() => over(() => reject(late())), timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(
      (value) => over(() => resolve(value)),
      (error: unknown) => over(() => reject(error)),
    );
    if (signal.aborted) abort();

    function over(settle: () => void): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      settle();
    }
  });
}

async function converse(
  runtime: BedrockRuntime,
  modelId: string,
  input: Omit<ConverseCommandInput, 'modelId'>,
  call: RuntimeCall,
): Promise<BedrockAnswer> {
  const { output } = await runtime.send(new ConverseCommand({ ...input, modelId }), call);
  return { body: output, tokens: {} };
}

async function invoke(
  runtime: BedrockRuntime,
  modelId: string,
  body: Readonly<Record<string, unknown>>,
  call: RuntimeCall,
): Promise<BedrockAnswer> {
  const command = new InvokeModelCommand({
    modelId,
    contentType: 'application/json',
    accept: 'application/json',
    body: JSON.stringify(body),
  });
  const { output, headers } = await runtime.send(command, call);
  return { body: parse(output.body.transformToString()), tokens: tokensIn(headers) };
}

/** A body that is no JSON is left as text: the codec then says that the answer has not the form of its family. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function tokensIn(headers: HttpAnswer['headers']): TokenCounts {
  return {
    prompt: count(headers['x-amzn-bedrock-input-token-count']),
    completion: count(headers['x-amzn-bedrock-output-token-count']),
  };
}

function count(header: string | readonly string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d+$/.test(header) ? Number(header) : undefined;
}
