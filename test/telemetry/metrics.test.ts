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
