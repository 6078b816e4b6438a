import { inject } from 'vitest';
import { type ConductorApi, conductorApi } from '../../devservers/conductor-api.ts';
import type {} from './servers-for-all.ts';

export type { TaskState, WorkflowState } from '../../devservers/conductor-api.ts';

/** The Conductor server of this run. */
export function conductorForTests(): ConductorApi {
  return conductorApi(inject('conductorUrl'));
}
