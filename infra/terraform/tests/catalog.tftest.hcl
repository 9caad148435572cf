mock_provider "aws" {
  source = "./mocks"
}

variables {
  name             = "lakesmith-prod"
  account_id       = "123456789012"
  contracts        = "../../../conf/tables"
  lake_root        = "s3://lakesmith-prod-lake-123456789012/lake"
  artifacts_bucket = "artifacts"
  data_key_arn     = "arn:aws:kms:eu-west-1:123456789012:key/data"
  role_arns        = { pipeline = "arn:aws:iam::123456789012:role/lakesmith-prod-pipeline", analyst = "arn:aws:iam::123456789012:role/lakesmith-prod-analyst" }
}

run "tables" {
  module {
    source = "../modules/catalog"
  }

  assert {
    condition     = aws_glue_catalog_table.lake["gold.daily_sales"].storage_descriptor[0].location == "s3://lakesmith-prod-lake-123456789012/lake/gold/daily_sales/"
    error_message = "A table is where Lakesmith puts it."
  }
  assert {
    condition     = alltrue([for table in aws_glue_catalog_table.lake : table.parameters["table_type"] == "DELTA"])
    error_message = "Athena reads them as Delta tables."
  }
  assert {
    condition     = [for column in aws_glue_catalog_table.lake["silver.customers"].storage_descriptor[0].columns : column.name] == ["customer_id", "country", "valid_from", "valid_to", "is_current", "key_bucket"]
    error_message = "A keyed table has the columns that Lakesmith adds."
  }
}

run "analysts" {
  module {
    source = "../modules/catalog"
  }

  assert {
    condition     = toset(keys(aws_glue_catalog_table.analysts)) == toset([for table in keys(aws_glue_catalog_table.lake) : table if startswith(table, "gold.")])
    error_message = "Analysts see gold: no bronze, no silver, no quarantine."
  }
  assert {
    condition = length(flatten([
      for table, made in aws_glue_catalog_table.analysts : [
        for column in made.storage_descriptor[0].columns : "${table}.${column.name}"
        if try(yamldecode(file("${var.contracts}/${table}.yml")).columns[column.name].subject, false)
      ]
    ])) == 0
    error_message = "No column of the analysts' tables is marked subject."
  }
  assert {
    condition     = !contains([for column in aws_glue_catalog_table.analysts["gold.customer_scores"].storage_descriptor[0].columns : column.name], "customer_id")
    error_message = "The customer is left out of the scores."
  }
  assert {
    condition = alltrue([
      for table, grant in aws_lakeformation_permissions.analysts :
      grant.permissions == toset(["SELECT"]) && grant.principal == var.role_arns["analyst"] &&
      grant.table_with_columns[0].column_names == toset([for column in aws_glue_catalog_table.analysts[table].storage_descriptor[0].columns : column.name])
    ]) && length(aws_lakeformation_permissions.analysts) == length(aws_glue_catalog_table.analysts)
    error_message = "Lake Formation grants these columns by name, to read."
  }
  assert {
    condition     = alltrue([for permission in aws_glue_catalog_database.analysts.create_table_default_permission : alltrue([for principal in permission.principal : principal.data_lake_principal_identifier != "IAM_ALLOWED_PRINCIPALS"])])
    error_message = "In the analysts' database IAM alone opens nothing."
  }
  assert {
    condition     = endswith(aws_lakeformation_resource.gold[0].arn, "/lake/gold")
    error_message = "Lake Formation reads gold, and nothing else."
  }
}

run "workgroups" {
  module {
    source = "../modules/catalog"
  }

  assert {
    condition = alltrue([
      for group in aws_athena_workgroup.this :
      group.configuration[0].enforce_workgroup_configuration && group.configuration[0].result_configuration[0].encryption_configuration[0].encryption_option == "SSE_KMS"
    ])
    error_message = "Answers are encrypted, whatever a client says."
  }
  assert {
    condition     = aws_athena_workgroup.this["analysts"].configuration[0].bytes_scanned_cutoff_per_query == 100 * 1024 * 1024 * 1024
    error_message = "A question has a limit."
  }
}
