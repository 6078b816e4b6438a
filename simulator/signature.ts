/**
 * Checks a request's Signature Version 4 by computing it again over what was received: method, path, query, signed
 * headers and the body's hash. Source: "Create a signed AWS API request" in the IAM user guide.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Credentials, Principal } from './credentials.ts';
import { Sha256 } from './sha256.ts';

export type Service = 'bedrock' | 'sts';

export interface ReceivedRequest {
  readonly method: string;
  /** As it came over the wire, still percent-encoded, without the query. */
  readonly path: string;
  /** As it came over the wire, without the question mark. */
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface SignedBy {
  readonly principal: Principal;
  /** From the credential scope: what Bedrock takes for the region of the call. */
  readonly region: string;
}

/** Why a signature does not count; each service has its own name for it. */
export type SignatureFlaw = 'missing' | 'incomplete' | 'bearer' | 'unknown key' | 'expired' | 'mismatch';

export class SignatureRefusal extends Error {
  override readonly name = 'SignatureRefusal';
  readonly flaw: SignatureFlaw;
  /** Absent: the service's usual words. */
  readonly words: string | undefined;

  constructor(flaw: SignatureFlaw, words?: string) {
    super(words ?? flaw);
    this.flaw = flaw;
    this.words = words;
  }
}

/** AWS's tolerance for a caller's clock, to both sides. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/(\d{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request,\s*SignedHeaders=([a-z0-9;_-]+),\s*Signature=([0-9a-f]{64})$/;

/** The service that a request's credential scope names; undefined without a readable one. */
export function scopedService(authorization: string | undefined): string | undefined {
  return AUTHORIZATION.exec(authorization ?? '')?.[4];
}

/** Throws SignatureRefusal unless the request is signed for `service` with a credential that is known and still valid. */
export async function verifySignature(
  request: ReceivedRequest,
  service: Service,
  credentials: Credentials,
  now = Date.now(),
): Promise<SignedBy> {
  const authorization = request.headers['authorization'];
  if (authorization === undefined) throw new SignatureRefusal('missing');
  if (authorization.startsWith('Bearer ')) throw new SignatureRefusal('bearer');
  const parsed = AUTHORIZATION.exec(authorization);
  if (parsed === null)
    throw new SignatureRefusal('incomplete', `Authorization header cannot be read. Authorization=${authorization}`);
  const [, accessKeyId = '', day = '', region = '', scope = '', signedNames = '', signature = ''] = parsed;

  const signed = new Set(signedNames.split(';'));
  requireSigned(request, signed);
  const signingDate = parseDate(request.headers['x-amz-date'] ?? '');
  if (signingDate === undefined || !request.headers['x-amz-date']?.startsWith(day)) {
    throw new SignatureRefusal('incomplete', "Date in Credential scope does not match YYYYMMDD from 'X-Amz-Date'.");
  }
  if (scope !== service) {
    throw new SignatureRefusal('mismatch', `Credential should be scoped to correct service: '${service}'.`);
  }

  const credential = credentials.find(accessKeyId);
  // A static key with somebody's session token is as unknown to AWS as a wrong key.
  if (credential === undefined || credential.sessionToken !== request.headers['x-amz-security-token']) {
    throw new SignatureRefusal('unknown key');
  }
  requireCurrent(signingDate, now);

  const claimedHash = request.headers['x-amz-content-sha256'];
  if (claimedHash !== undefined && claimedHash !== createHash('sha256').update(request.body).digest('hex')) {
    throw new SignatureRefusal(
      'mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  }
  const expected = await sign(request, signed, {
    accessKeyId,
    secretAccessKey: credential.secretAccessKey,
    region,
    service,
    signingDate,
  });
  if (!timingSafeEqual(Buffer.from(signature), Buffer.from(expected))) throw new SignatureRefusal('mismatch');
  if (credential.expiresAt !== undefined && credential.expiresAt <= now) throw new SignatureRefusal('expired');
  return { principal: credential.principal, region };
}

/** What an attacker could otherwise change unseen has to be signed. */
function requireSigned(request: ReceivedRequest, signed: ReadonlySet<string>): void {
  const present = Object.keys(request.headers);
  const needed = ['host', 'x-amz-date', ...present.filter((name) => name.startsWith('x-amz-'))];
  const missing = needed.filter((name) => !signed.has(name));
  if (missing.length > 0) {
    throw new SignatureRefusal(
      'mismatch',
      `'${[...new Set(missing)].join("', '")}' must be a 'SignedHeader' in the AWS Authorization.`,
    );
  }
  const absent = [...signed].filter((name) => request.headers[name] === undefined);
  if (absent.length > 0) {
    throw new SignatureRefusal('incomplete', `Signed headers that the request lacks: ${absent.join(', ')}.`);
  }
}

function requireCurrent(signingDate: Date, now: number): void {
  const age = now - signingDate.getTime();
  if (Math.abs(age) <= CLOCK_TOLERANCE_MS) return;
  const [signedAt, current] = [stamp(signingDate.getTime()), stamp(now)];
  const limit = stamp(now - Math.sign(age) * CLOCK_TOLERANCE_MS);
  throw new SignatureRefusal(
    'mismatch',
    age > 0
      ? `Signature expired: ${signedAt} is now earlier than ${limit} (${current} - 5 min.)`
      : `Signature not yet current: ${signedAt} is still later than ${limit} (${current} + 5 min.)`,
  );
}

interface Signing {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly service: Service;
  readonly signingDate: Date;
}

async function sign(request: ReceivedRequest, signed: ReadonlySet<string>, signing: Signing): Promise<string> {
  const { region, service, signingDate } = signing;
  // The session token is among the signed headers already; given to the signer it would be added a second time.
  const credentials = { accessKeyId: signing.accessKeyId, secretAccessKey: signing.secretAccessKey };
  const signer = new SignatureV4({ credentials, region, service, sha256: Sha256, applyChecksum: false });
  const headers = Object.fromEntries([...signed].map((name) => [name, request.headers[name] ?? '']));
  const again = await signer.sign(
    {
      method: request.method,
      protocol: 'http:',
      hostname: request.headers['host'] ?? '',
      path: request.path,
      query: parseQuery(request.query),
      headers,
      body: request.body,
    },
    { signingDate, signableHeaders: new Set(signed) },
  );
  return AUTHORIZATION.exec(again.headers['authorization'] ?? '')?.[6] ?? '0'.repeat(64);
}

/** Not URLSearchParams: that reads `+` as a space, which the canonical query does not. */
function parseQuery(query: string): Record<string, string[]> {
  const parsed: Record<string, string[]> = {};
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const [key = '', ...value] = pair.split('=').map(decode);
    parsed[key] = [...(parsed[key] ?? []), value.join('=')];
  }
  return parsed;
}

function decode(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw new SignatureRefusal('incomplete', 'The query is not encoded as a URI.');
  }
}

function parseDate(amzDate: string): Date | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(amzDate);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function stamp(time: number): string {
  return new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, '');
}
