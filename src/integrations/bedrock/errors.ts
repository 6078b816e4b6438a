import { type ErrorCode, failureOf, ServiceError } from '../../errors.ts';

/**
 * AWS's errors by name, as Bedrock Runtime and STS document them (API_runtime_InvokeModel, API_runtime_Converse,
 * API_AssumeRole: "Errors"), and what each means for a task.
 */
const BY_NAME: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>(
  Object.entries({
    ThrottlingException: 'THROTTLED',
    TooManyRequestsException: 'THROTTLED',
    Throttling: 'THROTTLED',
    ModelNotReadyException: 'THROTTLED',
    ServiceQuotaExceededException: 'THROTTLED',
    ServiceUnavailableException: 'BEDROCK_UNAVAILABLE',
    ServiceUnavailable: 'BEDROCK_UNAVAILABLE',
    InternalServerException: 'BEDROCK_UNAVAILABLE',
    InternalFailure: 'BEDROCK_UNAVAILABLE',
    ModelTimeoutException: 'MODEL_TIMEOUT',
    ModelErrorException: 'MODEL_FAILED',
    ValidationException: 'REQUEST_REFUSED',
    ValidationError: 'CREDENTIALS_FAILED',
    ResourceNotFoundException: 'MODEL_NOT_FOUND',
    AccessDeniedException: 'CREDENTIALS_FAILED',
    AccessDenied: 'CREDENTIALS_FAILED',
    ExpiredTokenException: 'CREDENTIALS_FAILED',
    ExpiredToken: 'CREDENTIALS_FAILED',
    UnrecognizedClientException: 'CREDENTIALS_FAILED',
    InvalidClientTokenId: 'CREDENTIALS_FAILED',
    InvalidSignatureException: 'CREDENTIALS_FAILED',
    SignatureDoesNotMatch: 'CREDENTIALS_FAILED',
    MissingAuthenticationTokenException: 'CREDENTIALS_FAILED',
    RegionDisabledException: 'CREDENTIALS_FAILED',
    MalformedPolicyDocument: 'CREDENTIALS_FAILED',
    MalformedPolicyDocumentException: 'CREDENTIALS_FAILED',
    PackedPolicyTooLarge: 'CREDENTIALS_FAILED',
    CredentialsProviderError: 'CREDENTIALS_FAILED',
  } as const satisfies Record<string, ErrorCode>),
);

/** Refusals that fresh credentials may mend. */
const MENDED_BY_FRESH_CREDENTIALS: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'ExpiredTokenException',
  'UnrecognizedClientException',
  'InvalidSignatureException',
]);

export function mayBeMendedByFreshCredentials(error: unknown): boolean {
  return error instanceof Error && MENDED_BY_FRESH_CREDENTIALS.has(error.name);
}

export interface CallPlace {
  readonly integration: string;
  readonly model: string;
}

const WHAT_TO_DO: Partial<Record<ErrorCode, string>> = {
  THROTTLED: 'Bedrock throttles this model',
  BEDROCK_UNAVAILABLE: 'Bedrock or STS could not be reached or failed',
  MODEL_TIMEOUT: 'the model took too long',
  MODEL_FAILED: 'the model failed',
  REQUEST_REFUSED: 'Bedrock refused the request',
  MODEL_NOT_FOUND: 'Bedrock does not have this model in this region',
  CREDENTIALS_FAILED:
    'AWS refused the credentials of this integration; an administrator can look with `bedrock-cohere check`',
};

/** The end of AWS's default chain, before anything is asked of AWS. */
const NO_CREDENTIALS =
  "no AWS credentials were found where AWS's SDK looks: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_ROLE_ARN and " +
  'AWS_WEB_IDENTITY_TOKEN_FILE, a profile (AWS_PROFILE, ~/.aws), the role of the container or the instance; give this process one of them';

/** What AWS or the network threw, in our words and AWS's, with ARNs and account ids cut out. */
export function asServiceError(thrown: unknown, place: CallPlace): ServiceError {
  if (thrown instanceof ServiceError) {
    if (thrown.code !== 'SECRET_UNAVAILABLE') return thrown;
    const message = `The record of the integration ${place.integration}, ${thrown.message}`;
    return new ServiceError(thrown.code, message, { field: thrown.field, cause: thrown });
  }
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = BY_NAME.get(error.name) ?? codeByStatus(error) ?? (isOurs(error) ? 'INTERNAL' : 'BEDROCK_UNAVAILABLE');
  if (code === 'INTERNAL') return failureOf(error);
  const said = withoutIdentifiers(error.message);
  return new ServiceError(
    code,
    `${place.integration}:${place.model}: ${error.name === 'CredentialsProviderError' ? NO_CREDENTIALS : WHAT_TO_DO[code]} (${error.name}${said === '' ? '' : `: ${said}`})`,
    { cause: thrown },
  );
}

/** A slip in this code, not an answer or a lost connection: those have a status or a system's code. */
function isOurs(error: Error): boolean {
  const isSlip = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return isSlip && (error as NodeJS.ErrnoException).code === undefined;
}

function codeByStatus(error: Error): ErrorCode | undefined {
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  if (status === undefined) return undefined;
  if (status === 429) return 'THROTTLED';
  if (status === 408) return 'MODEL_TIMEOUT';
  if (status === 401 || status === 403) return 'CREDENTIALS_FAILED';
  if (status >= 500) return 'BEDROCK_UNAVAILABLE';
  return status >= 400 ? 'REQUEST_REFUSED' : undefined;
}

/** AWS names users, roles and accounts in its refusals; a task's reason is read by many. */
export function withoutIdentifiers(text: string): string {
  const [said = ''] = text.slice(0, 4_000).split('The Canonical String for this request should have been');
  return said
    .replaceAll(/x-amz-security-token\s{0,3}[:=]\s{0,3}\S+/gi, 'x-amz-security-token:…')
    .replaceAll(/arn:aws[\w-]*:[^\s"',)\]]+/g, 'arn:…')
    .replaceAll(/(?<!\d)\d{12}(?!\d)/g, '…')
    .replaceAll(/(?<![A-Z0-9])A(?:KIA|SIA|IDA|ROA|BIA|CCA|GPA|IPA|NPA|NVA|PKA|SCA)[A-Z0-9]{8,}/g, '…')
    .trim()
    .slice(0, 1_000);
}
