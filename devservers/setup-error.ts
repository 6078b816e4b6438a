export interface SetupErrorOptions {
  /** The log of the server that failed, for the one who looks into it. */
  readonly logFile?: string | undefined;
  readonly cause?: unknown;
}

/** Something a server needs is missing, taken or did not come up. The message is one line and ends with what to do. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
  readonly logFile: string | undefined;

  constructor(message: string, options: SetupErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.logFile = options.logFile;
  }
}
