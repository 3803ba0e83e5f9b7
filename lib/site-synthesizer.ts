/**
 * Makes the CDK CLI publish the files of a web site under chosen names, before the stack and after its dependencies. It uses the
 * asset manifest of the CDK's assembly, and needs no custom resource.
 */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import {
  DefaultStackSynthesizer,
  type IStackSynthesizer,
  type ISynthesisSession,
  type Stack,
  type SynthesizeStackArtifactOptions,
} from 'aws-cdk-lib'
import { ArtifactType, FileAssetPackaging, Manifest } from 'aws-cdk-lib/cloud-assembly-schema'

export interface PublishedSite {
  /** Folder of the files. */
  folder: string
  /** Destination of each file, by its path in the folder. */
  keys: Readonly<Record<string, string>>
  /** May contain `EnvironmentPlaceholders`, which the CLI fills in. */
  bucketName: string
}

/** The role of the bootstrapped environment that publishes assets, with the placeholders of an asset manifest. */
export const publishingRoleArn = (stack: Stack): string =>
  DefaultStackSynthesizer.DEFAULT_FILE_ASSET_PUBLISHING_ROLE_ARN.replace(
    /\$\{Qualifier\}/,
    stack.synthesizer.bootstrapQualifier ?? DefaultStackSynthesizer.DEFAULT_QUALIFIER,
  )

/** Cast: under `exactOptionalPropertyTypes`, CDK's synthesizers do not match `IStackSynthesizer`. */
export const siteSynthesizer = (site: PublishedSite): IStackSynthesizer =>
  new SiteSynthesizer(site) as IStackSynthesizer

class SiteSynthesizer extends DefaultStackSynthesizer {
  /** Not `#site`: the CDK binds a stack to an `Object.create` copy, which has no private names. */
  private readonly site: PublishedSite

  constructor(site: PublishedSite) {
    super()
    this.site = site
  }

  protected override emitArtifact(session: ISynthesisSession, options: SynthesizeStackArtifactOptions = {}): void {
    const manifest = emitManifest(session, this.boundStack, this.site)
    const additionalDependencies = [...(options.additionalDependencies ?? []), manifest]
    super.emitArtifact(session, { ...options, additionalDependencies })
  }
}

/** Writes the manifest and the files beside the templates. Returns the manifest's id. */
function emitManifest({ assembly }: ISynthesisSession, stack: Stack, site: PublishedSite): string {
  const id = `${stack.artifactId}.site`
  const file = `${id}.json`
  cpSync(site.folder, join(assembly.outdir, id), { recursive: true })
  const assumeRoleArn = publishingRoleArn(stack)
  const files = Object.entries(site.keys).map(([path, objectKey]) => [
    path,
    {
      displayName: path,
      source: { path: join(id, path), packaging: FileAssetPackaging.FILE },
      destinations: { bucket: { bucketName: site.bucketName, objectKey, assumeRoleArn } },
    },
  ])
  Manifest.saveAssetManifest(
    { version: Manifest.version(), files: Object.fromEntries(files) },
    join(assembly.outdir, file),
  )
  assembly.addArtifact(id, { type: ArtifactType.ASSET_MANIFEST, properties: { file } })
  return id
}
