import type { ManifestFault } from '../../manifests/manifest.ts';
import type { ShownPlan } from '../../manifests/shown-plan.ts';

/** Where manifests are brought to: Redis itself, or the admin API. */
export interface ApplyTarget {
  /** As people call it. */
  readonly name: string;
  /** Shows the plan to `agree`, and does it where that says yes. All of it is done or nothing. */
  bring(agree: (plan: ShownPlan) => Promise<boolean>): Promise<Outcome>;
}

export interface Outcome {
  readonly plan: ShownPlan;
  /** What is wrong with the manifests, seen only beside the records there; with any of these nothing was asked. */
  readonly faults: readonly ManifestFault[];
}
