/** The CDK app, run by Node itself: `npx cdk deploy --all -c stage=dev`. */
import { App } from 'aws-cdk-lib'
import { addStacks } from '../lib/app.ts'
import { stageSettingsOf } from '../lib/stage-context.ts'
import { StageSettingsError } from '../lib/stage-error.ts'

const app = new App()
try {
  addStacks(app, stageSettingsOf(app))
} catch (error) {
  if (!(error instanceof StageSettingsError)) throw error
  console.error(error.message)
  process.exit(1)
}
