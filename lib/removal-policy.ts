import { RemovalPolicy } from 'aws-cdk-lib'
import type { StageSettings } from './stage.ts'

/**
 * Removal policy of a resource with data. A protected stage retains it, unless its own creation fails: the roll-back of a first
 * deploy deletes it.
 */
export const removalPolicyOf = ({ retainData }: Pick<StageSettings, 'retainData'>): RemovalPolicy =>
  retainData ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.DESTROY

/** The same for a resource that refuses deletion itself: the roll-back of a first deploy must leave it, or it fails. */
export const undeletablePolicyOf = ({ retainData }: Pick<StageSettings, 'retainData'>): RemovalPolicy =>
  retainData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY
