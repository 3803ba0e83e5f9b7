/** The options of a stage's last deploy, from the metadata of its Api stack, to find missing ones. */
import { CloudFormationClient, GetTemplateCommand } from '@aws-sdk/client-cloudformation'
import { givenOptionsKey, stackName } from '../lib/stage.ts'
import type { StageValues } from '../lib/stage-options.ts'
import { unlessAbsent } from './stacks.ts'

/** Undefined if the stage is not deployed. */
export async function deployedOptions(stage: string): Promise<StageValues | undefined> {
  const read = new GetTemplateCommand({ StackName: stackName(stage, 'Api'), TemplateStage: 'Original' })
  const { TemplateBody = '{}' } = (await unlessAbsent(new CloudFormationClient({}).send(read))) ?? {}
  const { Metadata = {} } = JSON.parse(TemplateBody) as { Metadata?: Record<string, StageValues> }
  return Metadata[givenOptionsKey]
}

/** Options of the last deploy that are missing now, with their last values. */
export const forgottenOptions = (deployed: StageValues, given: StageValues): [name: string, value: string][] =>
  Object.entries(deployed)
    .filter(([name]) => !(name in given))
    .map(([name, value]) => [name, JSON.stringify(value)])
