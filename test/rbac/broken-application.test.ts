import { expect, it } from 'vitest';
import { subjectOf } from '../../src/rbac/task-subject.ts';
import { snapshotOf, WORLD } from '../workers/support/llm.ts';

const origin = { workflowType: 'claims_intake', hasToken: false };

it('an application whose record cannot be read still claims its workflows: no other gets its tasks', async () => {
  const broken = { claims: { workflows: ['claims_*'], enabeld: true }, other: { workflows: ['claims_intake'] } };
  const snapshot = await snapshotOf({ ...WORLD, applications: broken });
  expect(subjectOf(['application'], origin, snapshot.applications())).toMatchObject({
    kind: 'refused',
    reason: expect.stringContaining('claims, other'),
  });
});

it('one that is alone is the subject, and holds nothing', async () => {
  const snapshot = await snapshotOf({ ...WORLD, applications: { claims: { workflows: ['claims_*'], enabeld: true } } });
  expect(subjectOf(['application'], origin, snapshot.applications())).toMatchObject({ subject: { id: 'app:claims' } });
  expect(snapshot.application('claims')).toBeUndefined();
});
