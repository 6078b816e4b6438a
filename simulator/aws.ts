/**
 * What both services share on a call's way: recording, the signature, latency and faults, and the form in which each
 * refuses.
 */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { type Bedrock, type BedrockRoute, bedrockRoute } from './bedrock.ts';
import type { Calls, OpenCall } from './calls.ts';
import type { Credentials } from './credentials.ts';
import { AwsError } from './errors.ts';
import type { FamilyAnswer } from './families/family.ts';
import { type Fault, type Faults, spoilBody } from './faults.ts';
import {
  type ReceivedRequest,
  type Service,
  type SignatureFlaw,
  SignatureRefusal,
  type SignedBy,
  scopedService,
  verifySignature,
} from './signature.ts';
import { type Sts, stsErrorBody } from './sts.ts';
import { BODY_LIMIT, send } from './wire.ts';

export interface Aws {
  serve(request: ReceivedRequest, outgoing: ServerResponse): Promise<void>;
}

interface AwsParts {
  readonly credentials: Credentials;
  readonly faults: Faults;
  readonly calls: Calls;
  readonly sts: Sts;
  readonly bedrock: Bedrock;
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One call, once its target is known. */
interface Target {
  readonly service: Service;
  readonly requestId: string;
  readonly begun: number;
  /** Absent for STS and for what is no operation. */
  readonly route: BedrockRoute | undefined;
}

export function createAws(parts: AwsParts): Aws {
  const { calls, faults, credentials } = parts;
  return {
    async serve(request, outgoing) {
      const target = targetOf(request);
      const call = record(calls, request, target);
      const gone = new AbortController();
      outgoing.once('close', () => {
        call.closed();
        gone.abort();
      });
      const refuse = (error: AwsError) => {
        call.answered(error.status, error.name);
        const reply = errorReply(error, target);
        send(outgoing, reply.status, reply.headers, reply.body);
      };
      try {
        const by = await verifySignature(request, target.service, credentials);
        Object.assign(call.record, { region: by.region, accessKeyId: by.principal.accessKeyId });
        const fault = faults.take(call.record.modelId);
        const delayMs = faults.latencyOf(call.record.modelId) + (fault?.afterMs ?? 0);
        // A timer of 0 takes a millisecond, too.
        if (delayMs > 0) await wait(delayMs, undefined, { signal: gone.signal });
        if (fault?.hang === true) return;
        if (fault?.closeConnection === true) {
          outgoing.destroy();
          return;
        }
        if (fault?.name !== undefined || fault?.status !== undefined) throw errorOf(fault, target.service);
        const reply = answer(parts, request, target, by, fault);
        call.answered(reply.status);
        send(outgoing, reply.status, { ...reply.headers, ...fault?.headers }, reply.body);
      } catch (thrown) {
        if (gone.signal.aborted) return;
        if (thrown instanceof SignatureRefusal) refuse(signatureError(thrown, target.service));
        else if (thrown instanceof AwsError) refuse(thrown);
        else
          refuse(
            new AwsError(target.service === 'sts' ? 'InternalFailure' : 'InternalServerException', String(thrown)),
          );
      }
    },
  };
}

function targetOf(request: ReceivedRequest): Target {
  const route = request.method === 'POST' ? bedrockRoute(request.path) : undefined;
  const named = scopedService(request.headers['authorization']);
  // A call of neither a known operation nor STS's only path is answered by the service it was signed for.
  const service = route === undefined && (request.path === '/' || named === 'sts') ? 'sts' : 'bedrock';
  return { service, requestId: randomUUID(), begun: performance.now(), route };
}

function record(calls: Calls, request: ReceivedRequest, { service, route }: Target): OpenCall {
  const body = service === 'sts' ? Object.fromEntries(formOf(request)) : readJson(request.body);
  const action = service === 'sts' ? String(Object(body)['Action'] ?? 'unknown') : 'unknown';
  return calls.begin({
    operation: route?.operation ?? action,
    modelId: route?.modelId ?? (service === 'sts' ? 'sts' : request.path),
    body,
    bodyBytes: request.body.length,
  });
}

function answer(
  parts: AwsParts,
  request: ReceivedRequest,
  target: Target,
  by: SignedBy,
  fault: Fault | undefined,
): Reply {
  const { service, route, requestId } = target;
  if (service === 'sts') {
    if (request.method !== 'POST' || request.path !== '/') throw new AwsError('InvalidAction');
    const body = parts.sts.answer(formOf(request), by.principal, requestId);
    return { status: 200, headers: { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }, body };
  }
  if (route === undefined) throw new AwsError('UnknownOperationException');
  if (request.body.length > BODY_LIMIT) throw new AwsError('RequestEntityTooLargeException');
  const call = {
    ...route,
    ...by,
    caller: by.principal,
    contentType: request.headers['content-type'],
    body: request.body,
  };
  return bedrockReply(parts.bedrock.answer(call), target, fault);
}

function bedrockReply(answer: FamilyAnswer, { route, requestId, begun }: Target, fault: Fault | undefined): Reply {
  const latencyMs = Math.round(performance.now() - begun);
  const whole = route?.operation === 'Converse' ? { ...answer.body, metrics: { latencyMs } } : answer.body;
  const spoilt = fault?.answer === undefined ? whole : spoilBody(whole, fault.answer);
  const body = fault?.body === undefined ? spoilt : fault.body;
  const text = body === undefined ? '<html><body>Bad gateway</body></html>' : JSON.stringify(body);
  const headers: Record<string, string> = { 'content-type': 'application/json', 'x-amzn-requestid': requestId };
  // Converse gives its counts in the body alone.
  if (route?.operation === 'InvokeModel' && fault?.answer !== 'headersMissing') {
    headers['x-amzn-bedrock-invocation-latency'] = String(latencyMs);
    headers['x-amzn-bedrock-input-token-count'] = String(answer.inputTokens);
    if (answer.outputTokens !== undefined) headers['x-amzn-bedrock-output-token-count'] = String(answer.outputTokens);
  }
  return { status: 200, headers, body: text };
}

function errorReply(error: AwsError, { service, requestId }: Target): Reply {
  const headers = { 'x-amzn-requestid': requestId, ...error.headers };
  if (service === 'sts') {
    const body = stsErrorBody(error, requestId);
    return { status: error.status, headers: { 'content-type': 'text/xml', ...headers }, body };
  }
  return {
    status: error.status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': error.name, ...headers },
    body: JSON.stringify({ message: error.message }),
  };
}

function errorOf({ name, message, status, headers }: Fault, service: Service): AwsError {
  const unnamed = service === 'sts' ? 'InternalFailure' : 'InternalServerException';
  return new AwsError(name ?? unnamed, message, { status, headers });
}

/** Each service's name for a flaw. */
const FLAW_NAMES: Readonly<Record<SignatureFlaw, Readonly<Record<Service, string>>>> = {
  missing: { bedrock: 'MissingAuthenticationTokenException', sts: 'MissingAuthenticationToken' },
  incomplete: { bedrock: 'IncompleteSignatureException', sts: 'IncompleteSignature' },
  bearer: { bedrock: 'AccessDeniedException', sts: 'IncompleteSignature' },
  'unknown key': { bedrock: 'UnrecognizedClientException', sts: 'InvalidClientTokenId' },
  expired: { bedrock: 'ExpiredTokenException', sts: 'ExpiredToken' },
  mismatch: { bedrock: 'InvalidSignatureException', sts: 'SignatureDoesNotMatch' },
};

function signatureError({ flaw, words }: SignatureRefusal, service: Service): AwsError {
  const bearer = 'Authentication failed: Please make sure your API Key is valid.';
  return new AwsError(FLAW_NAMES[flaw][service], words ?? (flaw === 'bearer' ? bearer : undefined));
}

function formOf(request: ReceivedRequest): URLSearchParams {
  return new URLSearchParams(request.body.toString('utf8'));
}

function readJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}
