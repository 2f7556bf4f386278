// sigstore-js as a program:
//   sigstore.js sign CONFIG TOKEN FILE BUNDLE
//   sigstore.js verify ROOT IDENTITY ISSUER FILE BUNDLE   says `refused: ` and why, and ends with 1

const fs = require('node:fs');
const { bundleFromJSON, bundleToJSON } = require('@sigstore/bundle');
const { SigningConfig, TrustedRoot } = require('@sigstore/protobuf-specs');
const { bundleBuilderFromSigningConfig } = require('@sigstore/sign');
const { PolicyError, toSignedEntity, toTrustMaterial, VerificationError, Verifier } = require('@sigstore/verify');

const json = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));

async function sign(config, token, file, bundle) {
  const identityProvider = { getToken: async () => fs.readFileSync(token, 'utf8').trim() };
  const signingConfig = SigningConfig.fromJSON(json(config));
  const builder = bundleBuilderFromSigningConfig({ signingConfig, identityProvider, bundleType: 'messageSignature' });
  const signed = await builder.create({ data: fs.readFileSync(file) });
  fs.writeFileSync(bundle, JSON.stringify(bundleToJSON(signed)));
}

async function verify(root, identity, issuer, file, bundle) {
  const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(json(root))));
  const entity = toSignedEntity(bundleFromJSON(json(bundle)), fs.readFileSync(file));
  verifier.verify(entity, { subjectAlternativeName: `^${identity.replace(/\W/g, '\\$&')}$`, extensions: { issuer } });
}

const [command, ...args] = process.argv.slice(2);
({ sign, verify })[command](...args).catch((error) => {
  if (!(error instanceof VerificationError || error instanceof PolicyError)) throw error;
  console.error(`refused: ${error.message}`);
  process.exitCode = 1;
});
