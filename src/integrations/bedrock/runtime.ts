import { BedrockRuntimeClient, type ServiceInputTypes, type ServiceOutputTypes } from '@aws-sdk/client-bedrock-runtime';
import { Agent } from 'undici';
import { exchange, type HttpAnswer } from '../../http-exchange.ts';
import type { CredentialsSource } from './credentials.ts';

/** A command of `@aws-sdk/client-bedrock-runtime`. */
type Command<Input extends ServiceInputTypes, Output extends ServiceOutputTypes> = Parameters<
  typeof BedrockRuntimeClient.prototype.send<Input, Output>
>[0];

export interface RuntimeCall {
  /** When the whole answer must be there, by `performance.now()`. */
  readonly until: number;
  readonly signal: AbortSignal;
}

/** AWS's client of Bedrock Runtime, with what this service needs of it and no more. */
export interface BedrockRuntime {
  /**
   * One attempt, signed. `headers`: the response's, which the SDK's outputs leave out.
   * Rejects with AWS's error, with AnswerLate, with the signal's reason, or with undici's error.
   */
  send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    command: Command<Input, Output>,
    call: RuntimeCall,
  ): Promise<{ readonly output: Output; readonly headers: HttpAnswer['headers'] }>;
  /** Lets running calls end, then closes the connections. */
  close(): Promise<void>;
}

/** The part of the SDK's HttpRequest that says what is sent; no operation of ours has a query. */
interface SignedRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** The part of the SDK's HttpResponse that it reads. A body that is all there costs it no stream. */
interface SdkResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

interface CallUnderWay extends RuntimeCall {
  headers: HttpAnswer['headers'];
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * What of the SDK's stack does nothing for a call of ours: it logs to nobody, looks for Lambda's trace ids, counts the
 * bytes that undici counts, and puts the same user agent together every time.
 */
const IDLE_MIDDLEWARE = [
  'loggerMiddleware',
  'recursionDetectionMiddleware',
  'contentLengthMiddleware',
  'getUserAgentMiddleware',
];

/**
 * HTTP/1.1 over undici (the SDK's default opens a TLS session a request), SigV4 alone (an AWS_BEARER_TOKEN_BEDROCK in
 * the environment would override the integration's credentials), one attempt a call, since retries are decided by
 * whoever admits calls. The SDK's middleware stack is put together once a kind of command (`cacheMiddleware`) instead of
 * once a call: so a call's limits cannot be options of `send`, and come by way of its input.
 */
export function createBedrockRuntime(region: string, credentials: CredentialsSource): BedrockRuntime {
  // A call's time is limited by its deadline; undici's own limits would cut slow models short at five minutes.
  const agent = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS }, headersTimeout: 0, bodyTimeout: 0 });
  const calls = new WeakMap<object, CallUnderWay>();
  const client = new BedrockRuntimeClient({
    region,
    // The SDK keeps credentials that do not expire for ever, where it does not take them as memoized already. Ours
    // decide themselves when to be renewed, so they are asked for every request.
    credentials: Object.assign(() => credentials.get(), { memoized: true }),
    maxAttempts: 1,
    authSchemePreference: ['sigv4'],
    cacheMiddleware: true,
    requestHandler: { handle },
  });
  const { config, middlewareStack } = client;

  // A signer of the SDK's keeps nothing of a request; it makes one for each.
  const makeSigner = config.signer;
  let signer: ReturnType<typeof makeSigner> | undefined;
  config.signer = (scheme) => (signer ??= makeSigner(scheme));

  for (const name of IDLE_MIDDLEWARE) middlewareStack.remove(name);
  let userAgent: Promise<string> | undefined;
  // Signing has its place after retries, so they stay in the stack, by name.
  middlewareStack.add((next) => next, {
    name: 'retryMiddleware',
    step: 'finalizeRequest',
    priority: 'high',
    override: true,
  });
  // The request handler is told of the signed request only: here, innermost, both it and the input are at hand.
  middlewareStack.add(
    (next) => (args) => {
      const call = calls.get(args.input);
      if (call !== undefined) calls.set(args.request as SignedRequest, call);
      return next(args);
    },
    { step: 'deserialize', priority: 'low', name: 'callMiddleware' },
  );

  async function handle(request: SignedRequest): Promise<{ response: SdkResponse }> {
    const call = calls.get(request);
    if (call === undefined) throw new TypeError('a request of no call');
    const { protocol, hostname, port, path, body } = request;
    userAgent ??= userAgentOf(client);
    const answer = await exchange(agent, {
      method: 'POST',
      origin: `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`,
      // SigV4 never signs it.
      headers: { ...request.headers, 'user-agent': await userAgent },
      ...{ path, body, signal: call.signal },
      timeoutMs: Math.max(1, call.until - performance.now()),
    });
    call.headers = answer.headers;
    return { response: { statusCode: answer.status, headers: withoutLists(answer.headers), body: answer.bytes } };
  }

  return {
    async send(command, call) {
      const underWay: CallUnderWay = { ...call, headers: {} };
      calls.set(command.input, underWay);
      const output = await client.send(command);
      return { output, headers: underWay.headers };
    },
    async close() {
      await agent.close();
      client.destroy();
    },
  };
}

/** Who calls, as the SDK says it: CloudTrail shows it, with the AWS_SDK_UA_APP_ID of whoever runs this. */
async function userAgentOf({ config }: BedrockRuntimeClient): Promise<string> {
  const [parts, application] = await Promise.all([config.defaultUserAgentProvider(), config.userAgentAppId()]);
  const known = parts.map(([name, version]) =>
    version === undefined
      ? name
      : `${name.toLowerCase().replaceAll(' ', '-')}${name.includes('/') ? '#' : '/'}${version}`,
  );
  const said = application ? [...known, `app/${application}`] : known;
  return said.join(' ').replaceAll(/[^\x20-\x7e]/g, '-');
}

/** The SDK reads every header as one text. */
function withoutLists(headers: HttpAnswer['headers']): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) texts[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return texts;
}
