/** The outputs of the Web and WebBucket stacks, for commands, which do not load the CDK. */
export const webUrlOutput = 'WebUrl'
export const webBucketOutput = 'WebBucketName'
