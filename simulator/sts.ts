/**
 * AWS STS over its query protocol: a form goes in, XML comes out. AssumeRole and GetCallerIdentity, with the
 * constraints, errors and words of the STS API reference (version 2011-06-15).
 */
import type { Credentials, Principal } from './credentials.ts';
import { AwsError } from './errors.ts';
import { parsePolicy } from './policy.ts';
import { type Roles, trusts } from './roles.ts';

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';
const VERSION = '2011-06-15';
/** The longest session of a role that another role assumed, in seconds. */
const CHAINED_MAXIMUM = 3600;

export interface StsSettings {
  /** How long issued credentials really live, in milliseconds; `Expiration` says so. Default: DurationSeconds. */
  lifetimeMs?: number | undefined;
}

export interface Sts {
  /** The XML of an answer. Throws AwsError. */
  answer(form: URLSearchParams, caller: Principal, requestId: string): string;
}

export function createSts(parts: { credentials: Credentials; roles: Roles; settings: StsSettings }): Sts {
  return {
    answer(form, caller, requestId) {
      const action = form.get('Action') ?? '';
      if (form.get('Version') !== VERSION || !['AssumeRole', 'GetCallerIdentity'].includes(action)) {
        throw new AwsError(
          'InvalidAction',
          `Could not find operation ${action} for version ${form.get('Version') ?? 'NO_VERSION_SPECIFIED'}`,
        );
      }
      const result = action === 'AssumeRole' ? assumeRole(form, caller, parts) : callerIdentity(caller);
      return envelope(action, result, requestId);
    },
  };
}

function callerIdentity(caller: Principal): string {
  return element('Arn', caller.arn) + element('UserId', caller.userId) + element('Account', caller.account);
}

function assumeRole(
  form: URLSearchParams,
  caller: Principal,
  { credentials, roles, settings }: { credentials: Credentials; roles: Roles; settings: StsSettings },
): string {
  const roleArn = required(form, 'RoleArn', { min: 20, max: 2048 });
  const sessionName = required(form, 'RoleSessionName', { min: 2, max: 64, pattern: /^[\w+=,.@-]*$/ });
  const externalId = optional(form, 'ExternalId', { min: 2, max: 1224, pattern: /^[\w+=,.@:/-]*$/ });
  const policyText = optional(form, 'Policy', { min: 1, max: 2048 });
  const seconds = duration(form);
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/.test(roleArn)) {
    throw new AwsError('ValidationError', `${roleArn} is invalid`);
  }

  const role = roles.find(roleArn);
  if (role === undefined || !trusts(role, caller, externalId)) {
    // AWS does not say whether the role is unknown or its trust not met.
    throw new AwsError(
      'AccessDenied',
      `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`,
    );
  }
  if (caller.session !== undefined && seconds > CHAINED_MAXIMUM) {
    throw new AwsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
    );
  }
  if (seconds > (role.maxSeconds ?? 3600)) {
    throw new AwsError(
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    );
  }
  const policy = policyText === undefined ? undefined : parsePolicy(policyText);
  if (policyText !== undefined && policy === undefined) throw new AwsError('MalformedPolicyDocument');

  const lifetimeMs = settings.lifetimeMs ?? seconds * 1000;
  const issued = credentials.issue({ roleArn, sessionName, lifetimeMs, policy });
  const { principal } = issued;
  return (
    `<AssumedRoleUser>${element('AssumedRoleId', principal.userId)}${element('Arn', principal.arn)}</AssumedRoleUser>` +
    `<Credentials>${element('AccessKeyId', principal.accessKeyId)}${element('SecretAccessKey', issued.secretAccessKey)}` +
    `${element('SessionToken', issued.sessionToken)}${element('Expiration', new Date(issued.expiresAt).toISOString())}</Credentials>`
  );
}

interface Constraint {
  readonly min: number;
  readonly max: number;
  readonly pattern?: RegExp;
}

function required(form: URLSearchParams, name: string, constraint: Constraint): string {
  const value = optional(form, name, constraint);
  if (value === undefined) throw refusedValue(null, name, 'Member must not be null');
  return value;
}

function optional(form: URLSearchParams, name: string, { min, max, pattern }: Constraint): string | undefined {
  const value = form.get(name);
  if (value === null) return undefined;
  if (value.length < min) {
    throw refusedValue(value, name, `Member must have length greater than or equal to ${min}`);
  }
  if (value.length > max) throw refusedValue(value, name, `Member must have length less than or equal to ${max}`);
  if (pattern !== undefined && !pattern.test(value)) {
    throw refusedValue(value, name, `Member must satisfy regular expression pattern: ${pattern.source.slice(1, -1)}`);
  }
  return value;
}

function duration(form: URLSearchParams): number {
  const text = form.get('DurationSeconds');
  if (text === null) return 3600;
  if (!/^-?\d+$/.test(text)) throw refusedValue(text, 'DurationSeconds', 'Member must be an integer');
  const seconds = Number(text);
  if (seconds < 900) throw refusedValue(text, 'DurationSeconds', 'Member must have value greater than or equal to 900');
  if (seconds > 43_200) {
    throw refusedValue(text, 'DurationSeconds', 'Member must have value less than or equal to 43200');
  }
  return seconds;
}

function refusedValue(value: string | null, name: string, why: string): AwsError {
  const shown = value === null ? 'null' : `'${value}'`;
  const member = `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
  return new AwsError(
    'ValidationError',
    `1 validation error detected: Value ${shown} at '${member}' failed to satisfy constraint: ${why}`,
  );
}

function envelope(action: string, result: string, requestId: string): string {
  return (
    `<${action}Response xmlns="${NAMESPACE}"><${action}Result>${result}</${action}Result>` +
    `<ResponseMetadata>${element('RequestId', requestId)}</ResponseMetadata></${action}Response>`
  );
}

/** The XML of a refusal. */
export function stsErrorBody(error: AwsError, requestId: string): string {
  const type = error.status < 500 ? 'Sender' : 'Receiver';
  return (
    `<ErrorResponse xmlns="${NAMESPACE}"><Error>${element('Type', type)}${element('Code', error.name)}` +
    `${element('Message', error.message)}</Error>${element('RequestId', requestId)}</ErrorResponse>`
  );
}

function element(name: string, text: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<${name}>${escaped}</${name}>`;
}
