import type { components } from './schema.ts';

type Schemas = components['schemas'];

export type Approval = Schemas['Approval'];
export type Budget = Schemas['Budget'];
export type Call = Schemas['Call'];
export type CatalogConnector = Schemas['CatalogConnector'];
export type CatalogNode = Schemas['CatalogNode'];
export type Connector = Schemas['Connector'];
export type Diagnostic = Schemas['Diagnostic'];
export type DocumentCatalog = Schemas['DocumentCatalog'];
export type DryRunReport = Schemas['DryRunReport'];
export type Job = Schemas['Job'];
export type JobStatus = Schemas['JobStatus'];
export type JobSummary = Schemas['JobSummary'];
export type LibraryAddition = Schemas['LibraryAddition'];
export type LibraryItem = Schemas['LibraryItem'];
export type NewBudget = Schemas['NewBudget'];
export type NewConnector = Schemas['NewConnector'];
export type NewNode = Schemas['NewNode'];
export type NewWorkflow = Schemas['NewWorkflow'];
export type Node = Schemas['Node'];
export type ProblemBody = Schemas['Problem'];
export type RerunRequest = Schemas['RerunRequest'];
export type ResumeAction = Schemas['ResumeAction'];
export type Role = Schemas['Role'];
export type SecretInfo = Schemas['SecretInfo'];
export type ServerSettings = Schemas['ServerSettings'];
export type Step = Schemas['Step'];
export type StepStatus = Schemas['StepStatus'];
export type TokenInfo = Schemas['TokenInfo'];
export type Usage = Schemas['Usage'];
export type UsageItem = Schemas['UsageItem'];
export type User = Schemas['User'];
export type Workflow = Schemas['Workflow'];
export type WorkflowVersionSummary = Schemas['WorkflowVersionSummary'];

/** A kept file with what lists show of it. */
export type ArtifactInfo = Schemas['Page_ArtifactInfo']['items'][number];
