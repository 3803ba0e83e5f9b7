/** The options that a stage was deployed with, kept in the metadata of its Api stack, to find those that disappear. */
import { CloudFormationClient, GetTemplateCommand } from '@aws-sdk/client-cloudformation'
import { givenOptionsKey, stackName } from '../lib/stage.ts'
import type { StageValues } from '../lib/stage-options.ts'

/** Undefined where the stage is not deployed yet. */
export async function deployedOptions(stage: string): Promise<StageValues | undefined> {
  try {
    const { TemplateBody = '{}' } = await new CloudFormationClient({}).send(
      new GetTemplateCommand({ StackName: stackName(stage, 'Api'), TemplateStage: 'Original' }),
    )
    const { Metadata = {} } = JSON.parse(TemplateBody) as { Metadata?: Record<string, StageValues> }
    return Metadata[givenOptionsKey]
  } catch (error) {
    if (error instanceof Error && error.name === 'ValidationError') return undefined
    throw error
  }
}

/** Options of the last deploy that this one does not give, with their last values. */
export const forgottenOptions = (deployed: StageValues, given: StageValues): [name: string, value: string][] =>
  Object.entries(deployed)
    .filter(([name]) => !(name in given))
    .map(([name, value]) => [name, JSON.stringify(value)])
