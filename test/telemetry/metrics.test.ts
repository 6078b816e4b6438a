import { describe, expect, it } from 'vitest';
import { createMetrics, type Gauges } from '../../src/telemetry/metrics.ts';
import { IDLE_GAUGES } from '../workers/support/harness.ts';

const textOf = async (gauges: Partial<Gauges>) => createMetrics({ ...IDLE_GAUGES, ...gauges }).registry.metrics();
const load = { running: 2, waiting: 3 };

describe('a lane in metrics', () => {
  it('shows nobody’s account, whatever the kind of its ARN', async () => {
    const arn = (resource: string) => `prod:arn:aws:bedrock:us-east-1:111122223333:${resource}`;
    const resources = ['imported-model/a', 'custom-model/cohere.command-text-v14:7:4k/b', 'provisioned-model/c'];
    const text = await textOf({ lanes: () => resources.map((resource) => [arn(resource), load]) });
    expect(text).not.toContain('111122223333');
    for (const resource of resources) expect(text).toContain(`lane="prod:${resource}",state="running"} 2`);
  });

  it('is added up where two look the same', async () => {
    const arn = (region: string) => `prod:arn:aws:bedrock:${region}:111122223333:imported-model/a`;
    const text = await textOf({ lanes: () => [arn('us-east-1'), arn('eu-west-1')].map((name) => [name, load]) });
    expect(text).toContain('lane="prod:imported-model/a",state="waiting"} 6');
  });

  it('shows who sleeps for it, and what throttling leaves of it, only while it does', async () => {
    const lanes: Gauges['lanes'] = () => ['prod:a', 'prod:b'].map((name) => [name, load]);
    const throttledTo = (lane: string) => (lane === 'prod:a' ? 4 : undefined);
    const text = await textOf({ lanes, throttledTo, sleeping: () => [['prod:b', 70]] });
    expect(text).toContain('bedrock_cohere_lane_sleeping{lane="prod:b"} 70');
    expect(text).toContain('bedrock_cohere_lane_throttled_limit{lane="prod:a"} 4');
    expect(text).not.toContain('bedrock_cohere_lane_throttled_limit{lane="prod:b"}');
  });
});

describe('a model that is named by its ARN', () => {
  const named = (region: string) => `arn:aws:bedrock:${region}:111122223333:imported-model/a`;

  it('shows nobody’s account in what calls, tokens and limits are counted under', async () => {
    const limit = (region: string, maxTokens: number) =>
      ({ kind: 'model', name: `prod:${named(region)}`, account: '', frequency: 'daily', maxTokens }) as const;
    const metrics = createMetrics({
      ...IDLE_GAUGES,
      limitUses: () => [
        { limit: limit('us-east-1', 10), used: 9 },
        { limit: limit('eu-west-1', 100), used: 9 },
      ],
    });
    for (const region of ['us-east-1', 'eu-west-1']) {
      metrics.refusedByLimit(limit(region, 10));
      metrics.callEnded({ integration: 'prod', model: named(region), code: '' }, 1);
      metrics.tokens({ integration: 'prod', model: named(region) }, 5, 7);
      metrics.cacheAsked({ integration: 'prod', model: named(region) }, 1, 1);
    }
    const text = await metrics.registry.metrics();
    expect(text).not.toContain('111122223333');
    expect(text).toContain('limit_refused_total{kind="model",name="prod:imported-model/a",frequency="daily"} 2');
    // Of two that look the same the one that is nearer to its end.
    expect(text).toContain('limit_used_ratio{kind="model",name="prod:imported-model/a",frequency="daily"} 0.9');
    expect(text).toContain('call_seconds_count{integration="prod",model="imported-model/a",code=""} 2');
    expect(text).toContain('tokens_total{integration="prod",model="imported-model/a",kind="prompt"} 10');
  });

  it('shows none in an ARN of another form either, and leaves names of groups alone', async () => {
    const metrics = createMetrics(IDLE_GAUGES);
    const other = 'prod:arn:aws:bedrock:us-east-1:111122223333:something';
    metrics.refusedByLimit({ kind: 'model', name: other, frequency: 'daily' });
    metrics.refusedByLimit({ kind: 'group', name: 'team-111122223334', frequency: 'daily' });
    const text = await metrics.registry.metrics();
    expect(text).not.toContain('111122223333');
    expect(text).toContain('name="team-111122223334"');
  });
});
