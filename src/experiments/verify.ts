import { DataError } from "../base/errors.ts";
import { type Certificate, certificateSchema, inlineProof } from "../certificate/index.ts";
import { type Dataset, loadDataset } from "../data/index.ts";
import { exists, readBytes, sha256 } from "../platform/files.ts";
import { folderOf, isFolder, joinPath } from "../platform/run-files.ts";
import { type Verification, verifyCertificate } from "../verify/index.ts";
import { findRun } from "./run-store.ts";

/** Name of the certificate in a run folder. */
export const CERTIFICATE_FILE = "certificate.json";

/** Why there is no certificate for a network of several outputs that are trained together. */
export const UNCHECKABLE =
  "the checker knows networks with one output, not those with several that are trained together; their bounds are in floating-point arithmetic";

/** What is to be verified. */
export interface VerifyJob {
  /** Folder that holds the runs. */
  readonly runs: string;
  /** A certificate file, or what {@link findRun} takes. */
  readonly certificate: string;
  /** The table that the network was trained on. */
  readonly data: string;
  /** The target where the certificate's name of it does not do: an npy or idx file. */
  readonly target?: string;
}

/** A certificate and what checking it gave. */
export interface VerifiedFile {
  readonly file: string;
  readonly certificate: Certificate;
  readonly verification: Verification;
}

/**
 * Verifies a certificate file: the training matrix is made again from the data file with the recorded settings and compared by its
 * sha256, and all claims are checked against it.
 *
 * @param progress told the share of the proof that was checked.
 * @throws UserError when a file is missing or is not what it should be.
 */
export function verifyFile(job: VerifyJob, progress: (share: number) => void): VerifiedFile {
  const file = certificateFile(job);
  const certificate = readCertificate(file);
  const answer = (verification: Verification): VerifiedFile => ({ file, certificate, verification });
  const refuse = (step: string, reason: string): VerifiedFile =>
    answer({ rigorous: false, failure: { step, reason }, total: null, outputs: [] });
  const proof = proofOf(certificate, file);
  if (proof === "changed") return refuse("proof", "its file is not the one that the certificate names (sha256)");
  const dataset = load(job, certificate);
  const difference = differs(dataset, certificate);
  if (difference !== null) return refuse("data", difference);
  const { X, y, weights = null } = dataset.train;
  return answer(verifyCertificate(certificate, proof, { X, y, weights }, progress));
}

function certificateFile({ runs, certificate }: VerifyJob): string {
  if (certificate.endsWith(".json") && !isFolder(certificate)) return certificate;
  const file = joinPath(findRun(runs, certificate), CERTIFICATE_FILE);
  if (exists(file)) return file;
  throw new DataError(`there is nothing to verify: the run ${certificate} has no certificate`, {
    code: "no-certificate",
    hint: `${UNCHECKABLE} (one network a class, with --loss logistic, is checked class by class)`,
    place: { file: folderOf(file) },
  });
}

function readCertificate(file: string): Certificate {
  const fail = (what: string): DataError =>
    new DataError(`${file} is not a certificate: ${what}`, {
      code: "not-a-certificate",
      hint: `name a run, or the ${CERTIFICATE_FILE} of one`,
      place: { file },
    });
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder().decode(readBytes(file)));
  } catch (error) {
    throw error instanceof SyntaxError ? fail("it is not JSON") : error;
  }
  const parsed = certificateSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw fail(`${parsed.error.issues[0]?.path.join(".") || "its content"} is not as expected`);
}

function proofOf(certificate: Certificate, file: string): Uint8Array | null | "changed" {
  const { proof } = certificate;
  if (proof === null || !("file" in proof)) return inlineProof(certificate);
  const bytes = readBytes(joinPath(folderOf(file), proof.file));
  return sha256(bytes) === proof.sha256 ? bytes : "changed";
}

function load({ data, target }: VerifyJob, { data: recorded }: Certificate): Dataset {
  const { split, weights, ...settings } = recorded.settings;
  return loadDataset({
    file: data,
    target: target ?? recorded.target,
    ...settings,
    split: split === 0 ? "none" : split,
    ...(weights === null ? {} : { weights }),
  });
}

/** How the data are not those of the certificate; null when they are. */
function differs({ fingerprint, target }: Dataset, { data }: Certificate): string | null {
  if (fingerprint.matrix !== data.matrix) {
    return fingerprint.file === data.file
      ? "this version of the program makes another matrix from the same file"
      : "the training matrix is not the one that was certified (sha256)";
  }
  if ((fingerprint.weights ?? "none") !== data.weights) return "the sample weights are not those that were certified";
  const isSame = JSON.stringify(target.classes) === JSON.stringify(data.classes);
  return isSame ? null : "the classes have other names";
}
