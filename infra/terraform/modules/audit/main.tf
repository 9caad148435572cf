# Who read and wrote which object of the lake, and who changed the account.

resource "aws_cloudtrail" "this" {
  #checkov:skip=CKV2_AWS_10: Objects of the lake are read by the thousand each night; a copy in CloudWatch costs more than the night, and Athena reads the trail.
  #checkov:skip=CKV_AWS_252: A message for each file of the trail tells nobody anything; validation finds a gap.
  name                          = var.name
  s3_bucket_name                = var.logs_bucket
  s3_key_prefix                 = "trail"
  kms_key_id                    = var.key_arn
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true

  advanced_event_selector {
    name = "What is changed in the account"
    field_selector {
      field  = "eventCategory"
      equals = ["Management"]
    }
  }

  advanced_event_selector {
    name = "Objects of the lake"
    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }
    field_selector {
      field  = "resources.type"
      equals = ["AWS::S3::Object"]
    }
    field_selector {
      field       = "resources.ARN"
      starts_with = [for arn in var.bucket_arns : "${arn}/"]
    }
  }
}
