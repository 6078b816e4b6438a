import { type DestinationStream, type Logger, pino } from 'pino';

const SECRETS = ['accessToken', 'api_key', 'externalId', 'keySecret', 'secretAccessKey', 'sessionToken'] as const;

/**
 * JSON lines on stdout. Levels: error = a person must act; warn = degraded, recovers by itself; info = lifecycle;
 * debug = per task. Task inputs and outputs are never logged; the paths below are a second net under that rule.
 */
export function createLog(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `*.*.*.${name}`]),
      censor: '********',
    },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
