/** The VPC of functions with outbound calls (`vpc_id`), to reach runtimes in private ranges. */
import { Stack, Validations } from 'aws-cdk-lib'
import { CfnVPCEndpoint } from 'aws-cdk-lib/aws-ec2'
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { CfnFunction, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import type { VpcSettings } from './stage.ts'

/** Actions of Lambda with a function's role, to attach it to a VPC. Their resources are unknown in advance. */
const networkActions = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
]

/**
 * Statements for the role of a function in a VPC: they allow Lambda's actions and deny them to the function's code.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
 */
export const vpcStatements = (stack: Stack, functionName: string): PolicyStatement[] => [
  new PolicyStatement({ actions: networkActions, resources: ['*'] }),
  new PolicyStatement({
    effect: Effect.DENY,
    actions: networkActions,
    resources: ['*'],
    conditions: {
      ArnEquals: {
        'lambda:SourceFunctionArn': `arn:aws:lambda:${stack.region}:${stack.account}:function:${functionName}`,
      },
    },
  }),
]

export function attachToVpc({ node, role }: LambdaFunction, { subnetIds, securityGroupIds }: VpcSettings): void {
  const { defaultChild } = node
  if (!CfnFunction.isCfnFunction(defaultChild)) throw new Error(`${node.path} holds no function`)
  defaultChild.vpcConfig = { subnetIds: [...subnetIds], securityGroupIds: [...securityGroupIds] }
  if (role) {
    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason:
        'Lambda creates the network interfaces, so their ids are unknown here. The code of the function is denied these actions.',
    })
  }
}

/** Avoids the NAT gateway's price per gigabyte for the table. */
export function addTableEndpoint(scope: Construct, { id, routeTableIds }: VpcSettings): void {
  if (routeTableIds.length === 0) return
  new CfnVPCEndpoint(scope, 'TableEndpoint', {
    vpcId: id,
    serviceName: `com.amazonaws.${Stack.of(scope).region}.dynamodb`,
    vpcEndpointType: 'Gateway',
    routeTableIds: [...routeTableIds],
  })
}
