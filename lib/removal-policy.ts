import { RemovalPolicy } from 'aws-cdk-lib'
import type { StageSettings } from './stage.ts'

/**
 * Removal policy of a resource with data. A protected stage retains it, unless its creation failed: a failed first deploy leaves
 * nothing behind.
 */
export const removalPolicyOf = ({ retainData }: Pick<StageSettings, 'retainData'>): RemovalPolicy =>
  retainData ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.DESTROY
