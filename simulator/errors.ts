/**
 * AWS's errors by name, with the status each comes with and AWS's own words where a call gives no better ones.
 * Sources: the Bedrock runtime API reference (InvokeModel, Converse) and its "Common errors"; the STS API reference.
 */

interface KnownError {
  readonly status: number;
  readonly message: string;
}

/** Errors of Bedrock runtime. */
export const BEDROCK_ERRORS: Readonly<Record<string, KnownError>> = {
  ThrottlingException: { status: 429, message: 'Too many requests, please wait before trying again.' },
  ModelNotReadyException: {
    status: 429,
    message: 'The model specified in the request is not ready to serve inference requests.',
  },
  ServiceUnavailableException: {
    status: 503,
    message: 'Bedrock is unable to process your request.',
  },
  InternalServerException: {
    status: 500,
    message: 'The system encountered an unexpected error during processing. Try your request again.',
  },
  ModelTimeoutException: { status: 408, message: 'The request took too long to process.' },
  ModelErrorException: { status: 424, message: 'The request failed due to an error while processing the model.' },
  ServiceQuotaExceededException: {
    status: 400,
    message: 'Your request exceeds the service quota for your account.',
  },
  ValidationException: { status: 400, message: 'The input fails to satisfy the constraints of the service.' },
  AccessDeniedException: { status: 403, message: 'You don’t have access to the model with the specified model ID.' },
  ResourceNotFoundException: { status: 404, message: 'The specified resource was not found.' },
  ExpiredTokenException: { status: 403, message: 'The security token included in the request is expired' },
  UnrecognizedClientException: { status: 403, message: 'The security token included in the request is invalid.' },
  InvalidSignatureException: {
    status: 403,
    message:
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  },
  MissingAuthenticationTokenException: { status: 403, message: 'Missing Authentication Token' },
  IncompleteSignatureException: { status: 400, message: 'The request signature does not conform to AWS standards.' },
  UnknownOperationException: { status: 404, message: 'The operation is not known.' },
  RequestEntityTooLargeException: { status: 413, message: 'Request entity too large' },
};

/** Errors of STS. */
export const STS_ERRORS: Readonly<Record<string, KnownError>> = {
  AccessDenied: { status: 403, message: 'Access denied' },
  ExpiredToken: { status: 403, message: 'The security token included in the request is expired' },
  InvalidClientTokenId: { status: 403, message: 'The security token included in the request is invalid.' },
  SignatureDoesNotMatch: {
    status: 403,
    message:
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  },
  MissingAuthenticationToken: { status: 403, message: 'Request is missing Authentication Token' },
  IncompleteSignature: { status: 400, message: 'The request signature does not conform to AWS standards.' },
  ValidationError: { status: 400, message: 'The input fails to satisfy the constraints of the service.' },
  MalformedPolicyDocument: { status: 400, message: 'The policy document is malformed.' },
  InvalidAction: { status: 400, message: 'Could not find operation' },
  RegionDisabledException: { status: 403, message: 'STS is not activated in this region for this account.' },
  Throttling: { status: 400, message: 'Rate exceeded' },
  ServiceUnavailable: { status: 503, message: 'The request has failed due to a temporary failure of the server.' },
  InternalFailure: {
    status: 500,
    message: 'The request processing has failed because of an unknown error, exception or failure.',
  },
};

export interface AwsErrorOptions {
  /** HTTP status. Default: the one the name comes with, else 500. */
  readonly status?: number | undefined;
  /** Further headers of the answer, names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** A refusal as AWS gives it. `name` is AWS's error code. */
export class AwsError extends Error {
  override readonly name: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(name: string, message?: string, options: AwsErrorOptions = {}) {
    const known = BEDROCK_ERRORS[name] ?? STS_ERRORS[name];
    super(message ?? known?.message ?? name);
    this.name = name;
    this.status = options.status ?? known?.status ?? 500;
    this.headers = options.headers ?? {};
  }
}

export function validationError(message: string): AwsError {
  return new AwsError('ValidationException', message);
}
