/** The real AWS SDK against the simulator, and requests signed by hand where the SDK would not do wrong. */
import { Sha256 } from '@aws-crypto/sha256-js';
import {
  BedrockRuntimeClient,
  ConverseCommand,
  type ConverseCommandInput,
  InvokeModelCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { STSClient } from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';
import { UndiciHttpHandler } from '@smithy/undici-http-handler';
import { ENVIRONMENT_CREDENTIALS } from '../../simulator/known.ts';
import type { Simulator } from '../../simulator/simulator.ts';

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface ClientOptions {
  readonly credentials?: Keys | undefined;
  readonly region?: string | undefined;
}

function options({ url }: Pick<Simulator, 'url'>, { credentials, region }: ClientOptions) {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials ?? (ENVIRONMENT_CREDENTIALS as Keys);
  return {
    endpoint: url,
    region: region ?? 'us-east-1',
    maxAttempts: 1,
    authSchemePreference: ['sigv4'],
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    requestHandler: new UndiciHttpHandler({ dispatcher: { connections: 50 } }),
  };
}

export function bedrockClient(simulator: Pick<Simulator, 'url'>, given: ClientOptions = {}) {
  const client = new BedrockRuntimeClient(options(simulator, given));
  return {
    client,
    /** The parsed body of InvokeModel. */
    async invoke(modelId: string, body: unknown, signal?: AbortSignal): Promise<Record<string, unknown>> {
      const command = new InvokeModelCommand({
        modelId,
        body: typeof body === 'string' ? body : JSON.stringify(body),
        contentType: 'application/json',
      });
      const output = await client.send(command, signal === undefined ? {} : { abortSignal: signal });
      return JSON.parse(output.body.transformToString());
    },
    converse: (modelId: string, input: Omit<ConverseCommandInput, 'modelId'>) =>
      client.send(new ConverseCommand({ modelId, ...input })),
  };
}

export function stsClient(simulator: Pick<Simulator, 'url'>, given: ClientOptions = {}): STSClient {
  return new STSClient(options(simulator, given));
}

export interface Draft {
  readonly path: string;
  readonly body: string;
  readonly service?: string;
  readonly credentials?: Keys;
  readonly signingDate?: Date;
  readonly headers?: Record<string, string>;
  readonly unsigned?: readonly string[];
  readonly checksum?: boolean;
  readonly query?: Record<string, string>;
}

/** A request signed as the SDK does it, by an independent SHA-256; to be altered before it is sent. */
export async function signedRequest({ url }: Pick<Simulator, 'url'>, draft: Draft) {
  const { host, hostname } = new URL(url);
  const signer = new SignatureV4({
    credentials: (draft.credentials ?? ENVIRONMENT_CREDENTIALS) as { accessKeyId: string; secretAccessKey: string },
    region: 'us-east-1',
    service: draft.service ?? 'bedrock',
    sha256: Sha256,
    applyChecksum: draft.checksum ?? true,
  });
  const signed = await signer.sign(
    {
      method: 'POST',
      protocol: 'http:',
      hostname,
      path: draft.path,
      query: draft.query ?? {},
      headers: { host, 'content-type': 'application/json', ...draft.headers },
      body: draft.body,
    },
    { signingDate: draft.signingDate ?? new Date(), unsignableHeaders: new Set(draft.unsigned ?? []) },
  );
  return { path: draft.path, body: draft.body, headers: { ...signed.headers } };
}

export async function post(
  { url }: Pick<Simulator, 'url'>,
  { path, body, headers }: { path: string; body: string; headers: Record<string, string> },
) {
  const { host: _, ...sent } = headers;
  const response = await fetch(`${url}${path}`, { method: 'POST', headers: sent, body });
  const text = await response.text();
  return { status: response.status, error: response.headers.get('x-amzn-errortype'), headers: response.headers, text };
}

/** The error a promise ends with, as the SDK shows it. */
export async function refusal(
  promise: Promise<unknown>,
): Promise<{ name: string; message: string; status: number | undefined }> {
  try {
    await promise;
  } catch (thrown) {
    const error = thrown as Error & { $metadata?: { httpStatusCode?: number } };
    return { name: error.name, message: error.message, status: error.$metadata?.httpStatusCode };
  }
  throw new Error('was not refused');
}
