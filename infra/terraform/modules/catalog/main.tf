# The tables as Athena sees them, from their contracts. Two databases: the lake with every table, for engineers; and for analysts gold without
# the columns that are marked `subject`.

locals {
  contracts = {
    for file in fileset(var.contracts, "*.yml") : trimsuffix(file, ".yml") => yamldecode(file("${var.contracts}/${file}"))
  }

  # Spark's names of types are Hive's, but for these.
  synonyms = { long = "bigint", integer = "int", short = "smallint", byte = "tinyint" }

  # What Lakesmith adds to the columns of a contract.
  history = [
    { name = "valid_from", type = "date", comment = "The first day on which the row holds.", subject = false },
    { name = "valid_to", type = "date", comment = "The first day on which the row no longer holds; null while it does.", subject = false },
    { name = "is_current", type = "boolean", comment = "True while the row holds.", subject = false },
  ]
  bucket = [{ name = "key_bucket", type = "int", comment = "The part of the table that the key belongs to, by its hash.", subject = false }]
  batch  = [{ name = "batch_date", type = "date", comment = "The batch that the row belongs to.", subject = false }]

  # An object's attributes come in the order of their names; a contract's columns come in the order of the file, which only its text knows.
  order = {
    for table, contract in local.contracts : table => distinct(flatten([
      for found in regexall("(?m)^  ([a-z_][a-z0-9_]*):", regex("(?s)\ncolumns:\n(.*?)(?:\n[a-z]|$)", file("${var.contracts}/${table}.yml"))[0]) : found
    ]))
  }

  tables = {
    for table, contract in local.contracts : table => {
      description = trimspace(contract.description)
      columns = concat(
        [
          for name in local.order[table] : {
            name = name
            type = replace(replace(replace(replace(replace(contract.columns[name].type, " ", ""),
              "/\\blong\\b/", local.synonyms.long), "/\\binteger\\b/", local.synonyms.integer),
            "/\\bshort\\b/", local.synonyms.short), "/\\bbyte\\b/", local.synonyms.byte)
            # Glue's limit for a comment.
            comment = substr(replace(trimspace(contract.columns[name].description), "/\\s+/", " "), 0, 255)
            subject = try(contract.columns[name].subject, false)
          }
        ],
        try(contract.kind, "") == "keyed" && try(contract.scd, 1) == 2 ? local.history : [],
        try(contract.kind, "") == "keyed" ? local.bucket : local.batch,
      )
    }
  }

  gold = { for table, each in local.tables : table => each if startswith(table, "gold.") }

  # Glue knows no dots in names.
  lake_database     = replace("${var.name}_lake", "-", "_")
  analysts_database = replace("${var.name}_analysts", "-", "_")

  parameters = { table_type = "DELTA", classification = "delta", EXTERNAL = "TRUE" }
}

resource "aws_glue_catalog_database" "lake" {
  name        = local.lake_database
  description = "Every table of the lake, for engineers."

  # IAM alone decides here, whatever the account's default is.
  create_table_default_permission {
    permissions = ["ALL"]
    principal {
      data_lake_principal_identifier = "IAM_ALLOWED_PRINCIPALS"
    }
  }
}

resource "aws_glue_catalog_database" "analysts" {
  name        = local.analysts_database
  description = "Gold, without what names a person."

  # Not IAM: with the account's usual default everybody who may ask Glue would see every column.
  create_table_default_permission {
    permissions = ["SELECT"]
    principal {
      data_lake_principal_identifier = var.role_arns["pipeline"]
    }
  }
}

resource "aws_glue_catalog_table" "lake" {
  for_each = local.tables

  database_name = aws_glue_catalog_database.lake.name
  name          = replace(each.key, ".", "_")
  description   = substr(each.value.description, 0, 2048)
  table_type    = "EXTERNAL_TABLE"
  parameters    = local.parameters

  storage_descriptor {
    location = "${var.lake_root}/${replace(each.key, ".", "/")}/"
    dynamic "columns" {
      for_each = each.value.columns
      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }
}

resource "aws_glue_catalog_table" "analysts" {
  for_each = local.gold

  database_name = aws_glue_catalog_database.analysts.name
  name          = replace(each.key, ".", "_")
  description   = substr(each.value.description, 0, 2048)
  table_type    = "EXTERNAL_TABLE"
  parameters    = local.parameters

  storage_descriptor {
    location = "${var.lake_root}/${replace(each.key, ".", "/")}/"
    dynamic "columns" {
      for_each = [for column in each.value.columns : column if !column.subject]
      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }
}

# --- who may ask what ----------------------------------------------------------------------------------------------

resource "aws_lakeformation_data_lake_settings" "this" {
  count = var.grants && length(var.lake_formation_admins) > 0 ? 1 : 0

  admins = var.lake_formation_admins
}

resource "aws_iam_role" "reader" {
  count = var.grants ? 1 : 0

  name        = "${var.name}-gold-reader"
  description = "With it Lake Formation reads gold for those who were granted columns"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:SetContext"]
      Principal = { Service = "lakeformation.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

locals {
  lake_bucket = split("/", var.lake_root)[2]
  lake_folder = trimprefix(var.lake_root, "s3://${local.lake_bucket}/")
  gold_arn    = "arn:aws:s3:::${local.lake_bucket}/${local.lake_folder}/gold"
}

resource "aws_iam_role_policy" "reader" {
  count = var.grants ? 1 : 0

  name = "gold"
  role = aws_iam_role.reader[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Bucket", Effect = "Allow", Action = "s3:ListBucket", Resource = "arn:aws:s3:::${local.lake_bucket}", Condition = { StringLike = { "s3:prefix" = "${local.lake_folder}/gold/*" } } },
      { Sid = "Gold", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.gold_arn}/*" },
      { Sid = "Key", Effect = "Allow", Action = "kms:Decrypt", Resource = var.data_key_arn },
    ]
  })
}

resource "aws_lakeformation_resource" "gold" {
  count = var.grants ? 1 : 0

  arn      = local.gold_arn
  role_arn = aws_iam_role.reader[0].arn

  depends_on = [aws_lakeformation_data_lake_settings.this]
}

resource "aws_lakeformation_permissions" "analysts_database" {
  count = var.grants ? 1 : 0

  principal   = var.role_arns["analyst"]
  permissions = ["DESCRIBE"]
  database {
    name = aws_glue_catalog_database.analysts.name
  }

  depends_on = [aws_lakeformation_data_lake_settings.this]
}

# By name, each of them: a column that comes later is nobody's until a person decided.
resource "aws_lakeformation_permissions" "analysts" {
  for_each = { for table, each in local.gold : table => each if var.grants }

  principal   = var.role_arns["analyst"]
  permissions = ["SELECT"]
  table_with_columns {
    database_name = aws_glue_catalog_database.analysts.name
    name          = aws_glue_catalog_table.analysts[each.key].name
    column_names  = [for column in each.value.columns : column.name if !column.subject]
  }

  depends_on = [aws_lakeformation_data_lake_settings.this]
}

resource "aws_athena_workgroup" "this" {
  for_each = {
    engineers = { name = var.name, limit = null }
    analysts  = { name = "${var.name}-analysts", limit = var.scan_limit_gb * 1024 * 1024 * 1024 }
  }

  name          = each.value.name
  description   = "Questions of ${each.key}"
  force_destroy = var.force_destroy

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = each.value.limit

    engine_version {
      selected_engine_version = "Athena engine version 3" # the first that reads Delta
    }

    result_configuration {
      output_location       = "s3://${var.artifacts_bucket}/athena/${each.key}/"
      expected_bucket_owner = var.account_id
      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.data_key_arn
      }
    }
  }
}
