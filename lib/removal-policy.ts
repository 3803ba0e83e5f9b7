import { RemovalPolicy } from 'aws-cdk-lib'
import type { StageSettings } from './stage.ts'

/**
 * What becomes of a resource with data when its stack goes. In a protected stage it stays, unless its own creation
 * failed: a first deploy that fails leaves no orphan.
 */
export const removalPolicyOf = ({ retainData }: Pick<StageSettings, 'retainData'>): RemovalPolicy =>
  retainData ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.DESTROY
