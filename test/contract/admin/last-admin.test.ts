import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { type RunningAdmin, startAdminServer } from '../../support/admin.ts';
import type {} from '../../support/redis-for-all.ts';

let server: RunningAdmin;
let own: string;
beforeEach(async () => {
  server = await startAdminServer(inject('redisUrl'));
  own = `/api/applications/${(await server.admin.get(`/api/applications/key/${server.adminKey.id}`)).body.id}`;
});
afterEach(async () => await server?.stop());

const key = () => `${own}/accessKeys/${server.adminKey.id}`;
const applicationId = () => own.slice('/api/applications/'.length);

async function refused(method: string, path: string, body?: unknown): Promise<void> {
  const answer = await server.admin.call(method, path, { body });
  expect(answer).toMatchObject({ status: 409, body: { status: 409, retryable: false } });
  expect(answer.body.message).toContain('ADMIN');
  expect(await server.admin.get('/api/groups')).toMatchObject({ status: 200 });
  expect((await server.admin.get('/api/token/userInfo')).status).toBe(200);
}

/** The role comes by a group alone from now on. */
async function byGroup(): Promise<void> {
  await server.admin.put('/api/groups/admins', { roles: ['ADMIN'] });
  await server.admin.post(`/api/groups/admins/users/app:${applicationId()}`);
  expect(await server.admin.delete(`${own}/roles/ADMIN`)).toMatchObject({ status: 200 });
}

describe('the last administrator', () => {
  it('keeps its role, its record, and its key switched on', async () => {
    // A user cannot get in, and an application without a key neither.
    await server.admin.put('/api/users/alice', { roles: ['ADMIN'] });
    const { id } = (await server.admin.post('/api/applications', { name: 'keyless' })).body;
    await server.admin.post(`/api/applications/${id}/roles/ADMIN`);
    await refused('DELETE', `${own}/roles/ADMIN`);
    await refused('DELETE', own);
    await refused('DELETE', key());
    await refused('POST', `${key()}/status`);
  });

  it('keeps its group, the role of that, and its membership', async () => {
    await byGroup();
    const member = `app:${applicationId()}`;
    await refused('PUT', '/api/groups/admins', { roles: ['USER'] });
    await refused('DELETE', '/api/groups/admins');
    await refused('DELETE', `/api/groups/admins/users/${member}`);
    await refused('DELETE', '/api/groups/admins/users', [member, 'somebody']);
    await refused('DELETE', own);
    await refused('DELETE', key());
  });

  it('goes where another gets in, be it by its own role or by a group', async () => {
    await server.somebody('other', ['ADMIN']);
    expect(await server.admin.delete(own)).toMatchObject({ status: 200 });
    expect(await server.admin.get('/api/token/userInfo')).toMatchObject({ status: 401 });
  });

  it('may change everything else of itself and of its group', async () => {
    await byGroup();
    expect(await server.admin.put(own, { name: 'renamed' })).toMatchObject({ status: 200 });
    expect(await server.admin.put('/api/groups/admins', { description: 'd' })).toMatchObject({ status: 200 });
    const made = await server.admin.post(`${own}/accessKeys`);
    expect(await server.admin.delete(`${own}/accessKeys/${made.body.id}`)).toMatchObject({ status: 200 });
    expect(await server.admin.delete('/api/groups/admins/users/somebody')).toMatchObject({ status: 200 });
  });

  it('of two who remove each other at once one stays, however often, by each way', async () => {
    for (let round = 0; round < 12; round += 1) {
      const [one, two] = [await server.somebody(`one-${round}`), await server.somebody(`two-${round}`)];
      const isByGroup = round % 2 === 0;
      for (const each of [one, two]) {
        const path = `/api/applications/${each.applicationId}`;
        if (!isByGroup) await server.admin.post(`${path}/roles/ADMIN`);
        else {
          await server.admin.put(`/api/groups/g-${each.applicationId}`, { roles: ['ADMIN'] });
          await server.admin.post(`/api/groups/g-${each.applicationId}/users/${each.userId}`);
        }
      }
      // Only these two are left.
      const before = (await server.admin.get('/api/applications')).body as { id: string }[];
      const others = before.filter(({ id }) => id !== one.applicationId && id !== two.applicationId);
      for (const { id } of others) await server.admin.delete(`/api/applications/${id}/roles/ADMIN`);
      const removal = (by: typeof one, of: typeof one) =>
        isByGroup
          ? by.delete(`/api/groups/g-${of.applicationId}/users/${of.userId}`)
          : round % 4 === 1
            ? by.post(`/api/applications/${of.applicationId}/accessKeys/${of.key.id}/status`)
            : by.delete(`/api/applications/${of.applicationId}/roles/ADMIN`);
      const answers = await Promise.all([removal(one, two), removal(two, one)]);
      const done = answers.filter(({ status }) => status === 200);
      expect(done).toHaveLength(1);
      const left = answers[0]?.status === 200 ? one : two;
      expect(await left.get('/api/groups/g')).toMatchObject({ status: 404 });
      expect(await left.post(`${own}/roles/ADMIN`)).toMatchObject({ status: 200 });
      for (const each of isByGroup ? [one, two] : []) await server.admin.delete(`/api/groups/g-${each.applicationId}`);
      await server.admin.delete(`/api/applications/${left.applicationId}`);
    }
  }, 60_000);
});
