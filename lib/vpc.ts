/** The VPC of the functions that call out (`vpc_id`), so that they reach runtimes in private ranges. */
import { Stack, Validations } from 'aws-cdk-lib'
import { CfnVPCEndpoint } from 'aws-cdk-lib/aws-ec2'
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { CfnFunction, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import type { VpcSettings } from './stage.ts'

/** What Lambda does in the name of a function's role, to attach it to a VPC. None takes a resource that is known before. */
const networkActions = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
]

/**
 * Statements for the role of a function in a VPC: Lambda may attach it, and the function's own code may not.
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
        'Lambda makes the network interfaces, whose ids exist only then; the code of the function is denied them.',
    })
  }
}

/** Reaches the table without the NAT gateway and its price per gigabyte. */
export function addTableEndpoint(scope: Construct, { id, routeTableIds }: VpcSettings): void {
  if (routeTableIds.length === 0) return
  new CfnVPCEndpoint(scope, 'TableEndpoint', {
    vpcId: id,
    serviceName: `com.amazonaws.${Stack.of(scope).region}.dynamodb`,
    vpcEndpointType: 'Gateway',
    routeTableIds: [...routeTableIds],
  })
}
