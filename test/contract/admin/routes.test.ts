import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type {} from '../../support/redis-for-all.ts';
import { TABLE } from './support/route-table.ts';
import { KINDS, type RouteWorld, startRouteWorld } from './support/route-world.ts';

let world: RouteWorld;
beforeAll(async () => {
  world = await startRouteWorld(inject('redisUrl'), TABLE.length);
}, 60_000);
afterAll(async () => await world?.stop());

describe('the table of who may do what', () => {
  it('names every route that is served, and no other', async () => {
    const { paths } = (await world.server.client().get('/openapi.json')).body as { paths: Record<string, object> };
    const served = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect([...new Set(TABLE.map(({ route }) => route))].sort()).toEqual(served.sort());
  });
});

describe('whoever may is answered, everybody else is refused', () => {
  it.each(TABLE.map((row, index) => [[row.route, row.case].filter(Boolean).join(', '), row, index] as const))(
    '%s',
    async (_, row, index) => {
      const [method = ''] = row.route.split(' ');
      const statuses = await Promise.all(
        KINDS.map(async (kind) => {
          const cell = world.cellOf(index, kind);
          const body = row.body?.(cell);
          const { status } = await world.callerOf(kind).call(method, row.path(cell), { body });
          return [kind, status];
        }),
      );
      const expected = KINDS.map((kind) => {
        if (row.may.includes(kind)) return [kind, row.answer ?? 200];
        return [kind, kind === 'nobody' ? 401 : 403];
      });
      expect(Object.fromEntries(statuses)).toEqual(Object.fromEntries(expected));
    },
  );
});
