mock_provider "aws" {
  source = "./mocks"
}

variables {
  name           = "lakesmith-prod"
  account_id     = "123456789012"
  region         = "eu-west-1"
  lake_prefix    = "lake"
  landing_prefix = "landing"
  topic_arn      = "arn:aws:sns:eu-west-1:123456789012:lakesmith-prod-alerts"
  bucket_arns = {
    landing = "arn:aws:s3:::landing", lake = "arn:aws:s3:::lake", artifacts = "arn:aws:s3:::artifacts", dags = "arn:aws:s3:::dags"
  }
  key_arns = {
    data = "arn:aws:kms:eu-west-1:123456789012:key/data", logs = "arn:aws:kms:eu-west-1:123456789012:key/logs", messages = "arn:aws:kms:eu-west-1:123456789012:key/messages"
  }
  secret_arns         = { webhook = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:webhook", mlflow = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow" }
  promoter_secrets    = ["mlflow"]
  tracking_server_arn = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/lakesmith-prod"
  catalog             = { lake_database = "lakesmith_prod_lake", analysts_database = "lakesmith_prod_analysts", workgroup = "lakesmith-prod" }
  log_group_prefix    = "/lakesmith-prod/"
  engineers           = ["arn:aws:iam::123456789012:role/sso-engineers"]
  promoters           = ["arn:aws:iam::123456789012:role/sso-promoters"]
  operators           = ["arn:aws:iam::123456789012:role/sso-operators", "arn:aws:iam::123456789012:user/on-call"]
}

run "roles" {
  module {
    source = "../modules/iam"
  }

  assert {
    condition     = toset(concat(keys(aws_iam_role.people), ["pipeline"])) == toset(["pipeline", "engineer", "promoter", "analyst"])
    error_message = "There are four roles."
  }
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_policy.this : [
        for statement in jsondecode(policy.policy).Statement : [for action in flatten([statement.Action]) : !strcontains(action, "*") || action == "kms:GenerateDataKey*"]
      ]
    ]))
    error_message = "Every action is named."
  }
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_policy.this : [
        for statement in jsondecode(policy.policy).Statement :
        contains(flatten([statement.Resource]), "*") ? contains(["cloudwatch:PutMetricData", "lakeformation:GetDataAccess", "s3:GetAccountPublicAccessBlock"], try(tostring(statement.Action), "")) : true
      ]
    ]))
    error_message = "Every resource is named, but for three actions that know none."
  }
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_policy.this : [
        for statement in jsondecode(policy.policy).Statement : statement.Resource == "arn:aws:iam::123456789012:role/lakesmith-prod-pipeline" && statement.Condition == { StringEquals = { "iam:PassedToService" = "emr-serverless.amazonaws.com" } }
        if contains(flatten([statement.Action]), "iam:PassRole")
      ]
    ]))
    error_message = "Only the pipeline's role is handed on, and only to EMR Serverless."
  }
}

run "sizes" {
  module {
    source = "../modules/iam"
  }
  variables {
    name   = "lakesmith-of-retail-staging"
    region = "ap-southeast-2"
    bucket_arns = {
      for kind in ["landing", "lake", "artifacts", "dags"] : kind => "arn:aws:s3:::lakesmith-of-retail-staging-${kind}-123456789012"
    }
    key_arns    = { for kind in ["data", "logs", "messages"] : kind => "arn:aws:kms:ap-southeast-2:123456789012:key/11111111-2222-3333-4444-555555555555" }
    secret_arns = { for kind in ["mlflow", "webhook", "erp", "email"] : kind => "arn:aws:secretsmanager:ap-southeast-2:123456789012:secret:lakesmith-of-retail-staging/${kind}-AbCdEf" }
  }

  assert {
    condition     = alltrue([for policy in aws_iam_policy.this : length(policy.policy) <= 6144])
    error_message = "Amazon takes policies of 6,144 characters at most."
  }
  assert {
    condition     = alltrue(concat([length(aws_iam_role.pipeline.assume_role_policy) <= 2048], [for role in aws_iam_role.people : length(role.assume_role_policy) <= 2048]))
    error_message = "Who may take a role is said in 2,048 characters at most."
  }
}

run "who_writes_to_the_lake" {
  module {
    source = "../modules/iam"
  }

  assert {
    condition = jsonencode({
      for who, policy in aws_iam_policy.this : who => sort(distinct(flatten([
        for statement in jsondecode(policy.policy).Statement : [for resource in flatten([statement.Resource]) : resource if startswith(resource, "arn:aws:s3:::lake")]
        if length(setintersection(flatten([statement.Action]), ["s3:PutObject", "s3:DeleteObject"])) > 0
      ])))
      }) == jsonencode({
      pipeline   = ["arn:aws:s3:::lake/lake/*"]
      scheduling = []
      engineer   = []
      promoter   = ["arn:aws:s3:::lake/lake/ops/model_events/*"]
      analyst    = []
    })
    error_message = "Only the pipeline writes tables and their _delta_log; the promoter appends events of models."
  }
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_policy.this : [
        for statement in jsondecode(policy.policy).Statement : length(setintersection(flatten([statement.Action]), ["s3:DeleteObjectVersion", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration", "kms:ScheduleKeyDeletion"])) == 0
      ]
    ]))
    error_message = "Nobody removes versions, policies, lifecycles or keys."
  }
}

run "the_engineer" {
  module {
    source = "../modules/iam"
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_policy.this["engineer"].policy).Statement : flatten([statement.Resource]) if contains(flatten([statement.Action]), "s3:PutObject")
    ])) == toset(["arn:aws:s3:::artifacts/releases/*", "arn:aws:s3:::artifacts/athena/engineers/*"])
    error_message = "An engineer writes releases and answers of queries."
  }
  assert {
    condition     = !strcontains(aws_iam_policy.this["engineer"].policy, "secretsmanager") && !strcontains(aws_iam_policy.this["engineer"].policy, "RegisteredModelAlias")
    error_message = "An engineer reads no secret and moves no alias."
  }
}

run "the_promoter" {
  module {
    source = "../modules/iam"
  }

  assert {
    condition     = strcontains(aws_iam_policy.this["promoter"].policy, "sagemaker-mlflow:SetRegisteredModelAlias") && !strcontains(aws_iam_policy.this["promoter"].policy, "sagemaker-mlflow:CreateModelVersion")
    error_message = "The promoter moves aliases, and makes no version."
  }
  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_policy.this["promoter"].policy).Statement : flatten([statement.Resource]) if contains(flatten([statement.Action]), "secretsmanager:GetSecretValue")
    ])) == toset(["arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow"])
    error_message = "The promoter reads the secrets that were named for it."
  }
  assert {
    condition     = !strcontains(aws_iam_policy.this["promoter"].policy, "emr-serverless") && !strcontains(aws_iam_policy.this["promoter"].policy, "arn:aws:s3:::landing")
    error_message = "The promoter starts no job and sees no landing file."
  }
}

run "the_analyst" {
  module {
    source = "../modules/iam"
  }

  assert {
    condition     = !strcontains(aws_iam_policy.this["analyst"].policy, "arn:aws:s3:::lake") && !strcontains(aws_iam_policy.this["analyst"].policy, "arn:aws:s3:::landing")
    error_message = "An analyst has no object of the lake: no bronze, no silver, no quarantine, and no file of gold behind Athena's back."
  }
  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_policy.this["analyst"].policy).Statement : [for resource in flatten([statement.Resource]) : resource if strcontains(resource, ":glue:")]
      ])) == toset([
      "arn:aws:glue:eu-west-1:123456789012:catalog", "arn:aws:glue:eu-west-1:123456789012:database/lakesmith_prod_analysts",
      "arn:aws:glue:eu-west-1:123456789012:table/lakesmith_prod_analysts/*",
    ])
    error_message = "An analyst sees the analysts' tables only."
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_policy.this["analyst"].policy).Statement :
      statement.Condition.StringEquals["kms:ViaService"] == "s3.eu-west-1.amazonaws.com" if contains(flatten([statement.Action]), "kms:Decrypt")
    ])
    error_message = "An analyst uses the key through S3 only."
  }
  assert {
    condition     = strcontains(aws_iam_role.people["analyst"].assume_role_policy, "\"Effect\":\"Deny\"")
    error_message = "A role that nobody was named for is closed."
  }
}

run "trust" {
  module {
    source = "../modules/iam"
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role.pipeline.assume_role_policy).Statement :
      can(statement.Principal.Service) ? try(statement.Condition.StringEquals["aws:SourceAccount"], "") == "123456789012" : jsonencode(statement.Principal) == (
        try(statement.Condition.Bool["aws:MultiFactorAuthPresent"], "") == "true" ? "{\"AWS\":[\"arn:aws:iam::123456789012:user/on-call\"]}" : "{\"AWS\":[\"arn:aws:iam::123456789012:role/sso-operators\"]}"
      )
    ])
    error_message = "Services of this account only, and operators who were named, users with a second factor, act as the pipeline."
  }
  assert {
    condition     = jsondecode(aws_iam_role.people["engineer"].assume_role_policy).Statement[0].Principal.AWS == ["arn:aws:iam::123456789012:role/sso-engineers"]
    error_message = "Who was named takes the role."
  }
}
