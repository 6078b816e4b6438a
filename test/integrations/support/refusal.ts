import { ServiceError } from '../../../src/errors.ts';

/** What an act is refused with; undefined: it is not. Anything thrown but a ServiceError is thrown on. */
export function refusal(act: () => unknown) {
  try {
    act();
  } catch (error) {
    if (error instanceof ServiceError) return { code: error.code, field: error.field, message: error.message };
    throw error;
  }
  return undefined;
}

/** The input that an act is refused for; undefined: it is not refused as INPUT_INVALID. */
export function fieldRefused(act: () => unknown): string | undefined {
  const refused = refusal(act);
  return refused?.code === 'INPUT_INVALID' ? (refused.field ?? '') : undefined;
}
